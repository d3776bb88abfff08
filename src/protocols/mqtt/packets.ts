/** MQTT control packets as objects: mqtt-packet, kept to one whole packet at a time. */

import "./environment.ts";
import { Buffer } from "node:buffer";
import { type IPublishPacket, type Packet, parser, writeToStream } from "mqtt-packet";
import type { Level } from "./wire.ts";

export type { Packet };

// Otherwise the library makes 65,536 Buffers at its first packet, one for each 16-bit number.
writeToStream.cacheNumbers = false;

/** Bytes that are no packet, and why. */
export interface Malformed {
  readonly malformed: string;
}

/**
 * Reads the packets of one connection. The library parser keeps its protocol level from CONNECT; it
 * is given one whole frame at a time, as it reads on into whatever follows a short one.
 */
export class PacketReader {
  readonly #parser = parser();
  readonly #seen: (Packet | Malformed)[] = [];
  #level = 4;

  constructor() {
    this.#parser.on("packet", (packet) => this.#seen.push(packet));
    this.#parser.on("error", (error: Error) => this.#seen.push({ malformed: error.message }));
  }

  read(frame: Uint8Array<ArrayBuffer>): Packet | Malformed {
    this.#seen.length = 0;
    try {
      this.#parser.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.length));
    } catch (error) {
      this.#seen.push({ malformed: error instanceof Error ? error.message : String(error) });
    }
    const [seen = { malformed: "the packet is shorter than its fields" }] = this.#seen;
    if ("malformed" in seen) return seen;
    if (seen.cmd === "connect") this.#level = seen.protocolVersion ?? 4;
    if (frame.length > 2 && this.#isEmpty(seen)) {
      return { malformed: `${seen.cmd.toUpperCase()} has no content` };
    }
    return seen;
  }

  /** PINGREQ (§3.12) and the DISCONNECT of MQTT 3.1.1 (§3.14) are a fixed header and no more. */
  #isEmpty({ cmd }: Packet): boolean {
    return cmd === "pingreq" || (cmd === "disconnect" && this.#level === 4);
  }
}

/** The protocol level a CONNECT frame asks for, whatever it is; undefined where none can be read. */
export function askedLevel(frame: Uint8Array): number | undefined {
  let index = 1;
  while (((frame[index] ?? 0) & 0x80) !== 0) index++; // the rest of the Remaining Length
  const nameLength = ((frame[index + 1] ?? 0) << 8) | (frame[index + 2] ?? 0);
  const nameEnd = index + 3 + nameLength;
  const name = new TextDecoder().decode(frame.subarray(index + 3, nameEnd));
  if (name === "MQIsdp") return 3; // the name in MQTT 3.1
  return name === "MQTT" ? frame[nameEnd] : undefined; // §3.1.2.1, §3.1.2.2
}

/** One packet without a large payload, as one piece. */
export function encode(packet: Packet, level: Level): Uint8Array<ArrayBuffer> {
  return join(pieces(packet, level));
}

/** Below it a message is cheaper to copy than to write by itself. */
const SMALL_MESSAGE_BYTES = 16 * 1024;

/** A PUBLISH; a large message is a piece of its own and is not copied. */
export function encodePublish(
  packet: Omit<IPublishPacket, "payload">,
  message: Uint8Array<ArrayBuffer>,
  level: Level,
): Uint8Array<ArrayBuffer>[] {
  const payload = Buffer.from(message.buffer, message.byteOffset, message.length);
  const written = pieces({ ...packet, payload }, level);
  if (message.length < SMALL_MESSAGE_BYTES) return [join(written)];
  return [join(written.slice(0, -1)), message]; // the library writes the payload last
}

function pieces(packet: Packet, level: Level): Uint8Array[] {
  const written: Uint8Array[] = [];
  const sink = {
    write(piece: string | Uint8Array) {
      written.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
      return true;
    },
    destroy(error: Error) {
      throw error;
    },
  };
  // The library uses nothing else of a stream.
  writeToStream(packet, sink as unknown as NodeJS.WritableStream, { protocolVersion: level });
  return written;
}

/** One Uint8Array of its own; the library's pieces are slices of a shared pool. */
export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
