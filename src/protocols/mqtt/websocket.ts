/** MQTT over WebSocket (MQTT 5 and 3.1.1 §6): packets as one stream of bytes in binary frames. */

import type { StreamConn } from "../../contract/tls.ts";
import { TlsServerConn } from "../../contract/tls_conn.ts";
import { Verdict } from "../../contract/federation_pb.ts";
import { opcodes, turned, unmask } from "../../websocket/frames.ts";
import { Handshake } from "../../websocket/handshake.ts";
import type { WebSocketLine } from "../../websocket/line.ts";
import { isWelcome } from "../../websocket/origins.ts";
import { Tcp } from "../../websocket/tcp.ts";
import type { Refusal, UpgradeRequest } from "../../websocket/upgrade.ts";
import { type Socket, SocketFault } from "./network_connection.ts";

/** [MQTT-6.0.0-3], [MQTT-6.0.0-4]: what the client must offer and the server must choose. */
const SUBPROTOCOL = "mqtt";
/** RFC 6455 §7.4.1 */
const NORMAL_CLOSURE = 1000;
const NO_MASK = new Uint8Array(4);

export interface WebSocketOptions {
  /** Of web pages that may join beside those that always may. */
  readonly origins: readonly string[];
  /** Counts what is on the wire beside MQTT's bytes: all that comes in, the heads of frames out. */
  readonly count: (direction: "up" | "down", bytes: number) => void;
}

/** A TCP or TLS connection that becomes a WebSocket at its first read. */
export class MqttWebSocket implements Socket {
  readonly #tcp: Tcp;
  readonly #isTls: boolean;
  readonly #options: WebSocketOptions;
  #line: WebSocketLine | undefined;
  /** The frame that is being read. */
  #left: { readonly bytes: number; readonly mask: Uint8Array } = { bytes: 0, mask: NO_MASK };
  /** The client broke the rules: nothing it says is taken any more. */
  #deaf = false;
  #closeCode = NORMAL_CLOSURE;
  #upBytes = 0;

  constructor(conn: StreamConn, options: WebSocketOptions) {
    this.#tcp = new Tcp(conn);
    this.#isTls = conn instanceof TlsServerConn;
    this.#tcp.count = (bytes) => {
      this.#upBytes += bytes;
    };
    this.#options = options;
  }

  /** @throws {SocketFault} for what is no binary WebSocket for MQTT; nothing but an end follows. */
  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    const count = await this.#read(into);
    this.#options.count("up", this.#upBytes - (count ?? 0));
    this.#upBytes = 0;
    return count;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    if (this.#line === undefined) throw new Error("The WebSocket is not open");
    const written = await this.#line.write(opcodes.binary, bytes);
    this.#options.count("down", written - bytes.length);
    return bytes.length;
  }

  async closeWrite(): Promise<void> {
    if (this.#line === undefined) await this.#tcp.closeWrite();
    else await this.#line.sayClose(this.#closeCode, "");
  }

  close(): void {
    this.#tcp.close("It was closed here");
  }

  async #read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    if (this.#deaf) return await this.#tcp.takeSome(into) ?? null;
    this.#line ??= await this.#open();
    while (this.#left.bytes === 0) {
      const frame = await this.#line.next();
      switch (frame.kind) {
        case "frame":
          this.#left = { bytes: frame.lengthBytes, mask: frame.mask };
          break;
        case "end":
          // §5.5.1: in answer to the client's, who may be gone already.
          await this.#line.sayClose(NORMAL_CLOSURE, "").catch(() => {});
          return null;
        case "lost":
          throw new Error(await this.#tcp.over);
        case "broken":
          this.#closeCode = frame.code;
          throw this.#fault(frame.detail);
        default:
          frame satisfies never;
      }
    }
    const room = into.subarray(0, this.#left.bytes);
    const count = await this.#tcp.takeSome(room);
    if (count === undefined) throw new Error(await this.#tcp.over);
    const { bytes, mask } = this.#left;
    unmask(room.subarray(0, count), mask);
    this.#left = { bytes: bytes - count, mask: turned(mask, count) };
    return count;
  }

  async #open(): Promise<WebSocketLine> {
    const handshake = new Handshake(this.#tcp);
    const request = await handshake.request();
    const refusal = "verdict" in request ? request : this.#refusal(request);
    if (refusal === undefined) {
      return await handshake.accept(request as UpgradeRequest, SUBPROTOCOL);
    }
    await handshake.refuse(refusal).catch(() => {}); // gone already
    throw this.#fault(refusal.reason);
  }

  #refusal(request: UpgradeRequest): Refusal | undefined {
    if (!request.subprotocols.includes(SUBPROTOCOL)) {
      const reason = `The WebSocket must be for the subprotocol ${SUBPROTOCOL}`;
      return { verdict: Verdict.MALFORMED, reason };
    }
    const provenance = { ...request, isProven: this.#isTls };
    if (isWelcome(provenance, this.#options.origins)) return undefined;
    const reason = `Pages of ${request.origin} may not join; allow them by --mqtt-origins`;
    return { verdict: Verdict.UNAUTHORISED, reason };
  }

  #fault(detail: string): SocketFault {
    this.#deaf = true;
    return new SocketFault(detail);
  }
}
