/**
 * WebSocket (RFC 6455) on the TCP port with QUIC's number, for whoever has no QUIC. Deno's own
 * WebSockets read on while nobody takes what they have read, and do not tell when what was sent has
 * left: here the socket is read and written only as far as the other side goes along.
 */

import { authority, federationOf } from "./address.ts";
import {
  type Admittance,
  type Carrier,
  malformed,
  otherFederation,
  type Parting,
  type Refusal,
  unwelcome,
} from "./carrier.ts";
import type { Newcomer } from "./connection.ts";
import { within } from "./ending.ts";
import type { MessageWriter } from "./frames.ts";
import { isWelcome } from "./origins.ts";
import { Tcp } from "./tcp.ts";
import {
  HEAD_END,
  MAX_HEAD_BYTES,
  readUpgrade,
  upgradeAccepted,
  upgradeRefused,
} from "./upgrade.ts";
import { closeBytes, type Opcode, opcodes, writeHead } from "./websocket_frames.ts";
import { WebSocketReader } from "./websocket_reader.ts";
import { type Liveness, WEBSOCKET_CLOSE_CODES } from "./wire.ts";

/** How long a client may take to hear why it is turned away. */
const GOODBYE_MS = 250;
/** Up to here, copying a message behind its head is cheaper than a second write. */
const SMALL_BYTES = 8 * 1024;

/** A TCP connection that may become a WebSocket. */
export class WebSocketNewcomer implements Newcomer {
  readonly remote: string;
  readonly #tcp: Tcp;
  readonly #liveness: Liveness;
  #head: Promise<string | undefined> | undefined;

  constructor(conn: Deno.TcpConn, liveness: Liveness) {
    this.remote = authority(conn.remoteAddr.hostname, conn.remoteAddr.port);
    this.#tcp = new Tcp(conn);
    this.#liveness = liveness;
  }

  async admit({ federation, origins, count }: Admittance): Promise<Carrier | Refusal> {
    this.#tcp.count = count;
    const head = await this.#readHead();
    if (head === undefined) return malformed("The connection opens with no HTTP request");
    const request = readUpgrade(head);
    if (typeof request === "string") return malformed(request);
    if (federationOf(request.path) !== federation) return otherFederation(federation);
    if (!isWelcome(request, origins)) return unwelcome(request.origin ?? "");
    try {
      await this.#tcp.write(await upgradeAccepted(request.key));
    } catch (error) {
      return malformed(error instanceof Error ? error.message : String(error));
    }
    return new WebSocketCarrier(this.#tcp, this.#liveness);
  }

  async refuse(refusal: Refusal): Promise<void> {
    await within(GOODBYE_MS, async () => {
      await this.#tcp.write(upgradeRefused(refusal));
      await this.#readHead(); // closed with something unread, the answer would be lost
    });
    this.#tcp.close(refusal.reason);
  }

  /** Nobody waits for it any more. */
  close(): void {
    this.#tcp.close("The server stops");
  }

  #readHead(): Promise<string | undefined> {
    this.#head ??= this.#tcp.takeText(HEAD_END, MAX_HEAD_BYTES);
    return this.#head;
  }
}

class WebSocketCarrier implements Carrier {
  readonly control: Carrier["control"];
  /** A client leaves with its connection. */
  readonly left = new Promise<void>(() => {});
  readonly #tcp: Tcp;
  readonly #reader: WebSocketReader;
  readonly #writer: MessageWriter;
  #closeSaid: Promise<unknown> | undefined;
  #pinging = false;

  constructor(tcp: Tcp, liveness: Liveness) {
    this.#tcp = tcp;
    this.#reader = new WebSocketReader(tcp, (bytes) => this.#write(opcodes.pong, bytes));
    this.#writer = {
      write: (message) => this.#write(opcodes.binary, message),
      close: () => Promise.resolve(), // a model's last part says that it is the last
    };
    this.control = {
      frames: this.#reader,
      writer: this.#writer,
      end: (parting) => this.#end(parting),
    };
    void this.#keepAlive(liveness);
  }

  get over(): Promise<string> {
    return this.#tcp.over;
  }

  eachUpdate(): Promise<void> {
    return Promise.resolve(); // all there is comes on the one stream
  }

  openModel(): Promise<MessageWriter> {
    return Promise.resolve(this.#writer);
  }

  async close(parting: Parting): Promise<void> {
    await within(GOODBYE_MS, async () => {
      await this.#end(parting);
      // Closed with something unread, what was said last would be lost.
      await (this.#reader.ended ? this.#tcp.drain() : this.#tcp.over);
    });
    this.#tcp.close(parting.reason);
  }

  /** Says Close; once both sides have, the server closes the connection (RFC 6455 §7.1.1). */
  async #end({ verdict, reason }: Parting): Promise<void> {
    this.#closeSaid ??= this.#write(
      opcodes.close,
      closeBytes(WEBSOCKET_CLOSE_CODES[verdict], reason),
    );
    await this.#closeSaid;
    if (this.#reader.closeHeard) this.#tcp.close(reason);
  }

  async #write(opcode: Opcode, bytes: Uint8Array): Promise<number> {
    if (this.#closeSaid !== undefined) throw new Error("The WebSocket is closing");
    const head = writeHead(opcode, bytes.length);
    if (bytes.length > SMALL_BYTES) return await this.#tcp.write(head, bytes);
    const frame = new Uint8Array(head.length + bytes.length);
    frame.set(head);
    frame.set(bytes, head.length);
    return await this.#tcp.write(frame);
  }

  /** Any byte is life, and whoever says nothing is asked; without an answer the client is lost. */
  async #keepAlive({ maxIdleTimeout, keepAliveInterval }: Liveness): Promise<void> {
    const timer = setInterval(() => {
      if (this.#tcp.silentMs >= maxIdleTimeout) {
        this.#tcp.close("The connection is lost: timed out");
      } else if (this.#tcp.silentMs >= keepAliveInterval) {
        void this.#ping();
      }
    }, keepAliveInterval);
    await this.#tcp.over;
    clearInterval(timer);
  }

  /** One at a time: to a client that does not read, none leaves. */
  async #ping(): Promise<void> {
    if (this.#pinging) return;
    this.#pinging = true;
    await this.#write(opcodes.ping, new Uint8Array(0)).catch(() => {}); // over, or closing
    this.#pinging = false;
  }
}
