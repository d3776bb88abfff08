/** WebSocket (RFC 6455) on the TCP port with QUIC's number, for whoever has no QUIC. */

import { opcodes } from "../../websocket/frames.ts";
import { Handshake } from "../../websocket/handshake.ts";
import type { WebSocketLine } from "../../websocket/line.ts";
import { isWelcome } from "../../websocket/origins.ts";
import { Tcp } from "../../websocket/tcp.ts";
import { authority, federationOf } from "./address.ts";
import type { StreamConn } from "../../contract/tls.ts";
import { TlsServerConn } from "../../contract/tls_conn.ts";
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
import { WebSocketReader } from "./websocket_reader.ts";
import { type Liveness, WEBSOCKET_CLOSE_CODES } from "./wire.ts";

/** How long a client may take to hear why it is turned away. */
const GOODBYE_MS = 250;

/** A TCP or TLS connection that may become a WebSocket. */
export class WebSocketNewcomer implements Newcomer {
  readonly remote: string;
  readonly #tcp: Tcp;
  readonly #handshake: Handshake;
  readonly #liveness: Liveness;
  readonly #isTls: boolean;

  constructor(conn: StreamConn, liveness: Liveness) {
    this.remote = authority(conn.remoteAddr.hostname, conn.remoteAddr.port);
    this.#tcp = new Tcp(conn);
    this.#handshake = new Handshake(this.#tcp);
    this.#liveness = liveness;
    this.#isTls = conn instanceof TlsServerConn;
  }

  async admit({ federation, origins, count }: Admittance): Promise<Carrier | Refusal> {
    this.#tcp.count = count;
    const request = await this.#handshake.request();
    if ("verdict" in request) return request;
    if (federationOf(request.path) !== federation) return otherFederation(federation);
    const { host, origin } = request;
    const isProven = this.#isTls;
    if (!isWelcome({ host, origin, isProven }, origins)) return unwelcome(request.origin ?? "");
    try {
      const line = await this.#handshake.accept(request);
      return new WebSocketCarrier(this.#tcp, line, this.#liveness);
    } catch (error) {
      return malformed(error instanceof Error ? error.message : String(error));
    }
  }

  async refuse(refusal: Refusal): Promise<void> {
    await within(GOODBYE_MS, async () => {
      await this.#handshake.refuse(refusal);
      await this.#tcp.closeWrite();
      await this.#tcp.drain(); // closed with something unread, the answer would be lost
    });
    this.#tcp.close(refusal.reason);
  }

  /** Nobody waits for it any more. */
  close(): void {
    this.#tcp.close("The server stops");
  }
}

class WebSocketCarrier implements Carrier {
  readonly control: Carrier["control"];
  /** A client leaves with its connection. */
  readonly left = new Promise<void>(() => {});
  readonly #tcp: Tcp;
  readonly #line: WebSocketLine;
  readonly #reader: WebSocketReader;
  readonly #writer: MessageWriter;
  #pinging = false;

  constructor(tcp: Tcp, line: WebSocketLine, liveness: Liveness) {
    this.#tcp = tcp;
    this.#line = line;
    this.#reader = new WebSocketReader(tcp, line);
    this.#writer = {
      write: (message) => line.write(opcodes.binary, message),
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

  async #end({ verdict, reason }: Parting): Promise<void> {
    await this.#line.sayClose(WEBSOCKET_CLOSE_CODES[verdict], reason);
    if (this.#line.closeHeard) this.#tcp.close(reason);
  }

  /**
   * Any byte is life, and whoever says nothing is asked; without an answer the client is lost. What
   * counts is how often it was looked for: while this thread stood still, it may have answered.
   */
  async #keepAlive({ maxIdleTimeout, keepAliveInterval }: Liveness): Promise<void> {
    const mostSilent = Math.floor(maxIdleTimeout / keepAliveInterval);
    let silent = 0;
    const timer = setInterval(() => {
      silent = this.#tcp.silentMs >= keepAliveInterval ? silent + 1 : 0;
      if (silent >= mostSilent) this.#tcp.close("The connection is lost: timed out");
      else if (silent > 0) void this.#ping();
    }, keepAliveInterval);
    await this.#tcp.over;
    clearInterval(timer);
  }

  /** One at a time: to a client that does not read, none leaves. */
  async #ping(): Promise<void> {
    if (this.#pinging) return;
    this.#pinging = true;
    await this.#line.write(opcodes.ping, new Uint8Array(0)).catch(() => {}); // over, or closing
    this.#pinging = false;
  }
}
