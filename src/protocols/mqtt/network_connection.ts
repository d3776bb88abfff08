/** One network connection (MQTT 5 and 3.1.1 §4.2): its socket, its first packet and its end. */

import { Gate } from "../../contract/gate.ts";
import type { Newcomer } from "../../contract/protocol_server.ts";
import { admit, refusingConnack } from "./admission.ts";
import type { Endpoint } from "./endpoint.ts";
import { type Cut, FrameReader } from "./frames.ts";
import { type Clock, KeepAlive, systemClock } from "./keep_alive.ts";
import { askedLevel, encode, type Packet, PacketReader } from "./packets.ts";
import { Session } from "./session.ts";
import { type Level, maxPacketBytes, ReasonCode, type Refusal } from "./wire.ts";

/** A byte stream both ways: a TCP connection, a TLS one or a WebSocket. */
export interface Socket {
  /** Resolves with null at the end of the stream, with 0 never. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Resolves with how many of the bytes were written. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** The peer broke the rules of what carries the bytes; `read` throws it, and reads on to the end. */
export class SocketFault extends Error {
  override readonly name = "SocketFault";
}

export interface NetworkConnectionOptions {
  readonly endpoint: Endpoint;
  /** The peer's address, for the operator's eyes. */
  readonly remote: string;
  readonly clock?: Clock;
}

/** What was taken may need so long to leave once the end has come. */
const LINGER_MS = 1000;

export class NetworkConnection {
  /** Resolves when the socket is closed; never rejects. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #endpoint: Endpoint;
  readonly #remote: string;
  readonly #clock: Clock;
  readonly #frames: FrameReader;
  readonly #packets = new PacketReader();
  readonly #gate: Gate;
  readonly #cancelGreeting: () => void;
  readonly #newcomer: Newcomer | undefined;
  #cancelLinger = () => {};
  #session: Session | undefined;
  #keepAlive: KeepAlive | undefined;
  #closing = false;
  #refused = false;

  constructor(socket: Socket, options: NetworkConnectionOptions) {
    const { endpoint, remote, clock = systemClock } = options;
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#remote = remote;
    this.#clock = clock;
    this.#frames = new FrameReader(maxPacketBytes(endpoint.terms.maxMessageBytes));
    this.#gate = new Gate(endpoint.maxUnjudgedBytes);
    const { connectTimeoutMs } = endpoint;
    this.#cancelGreeting = clock.after(
      connectTimeoutMs,
      () => this.#turnAway(`no CONNECT came within ${connectTimeoutMs} ms`),
    );
    this.#newcomer = endpoint.upcalls.meet?.((reason) => this.#giveWay(reason));
    this.ended = this.#run();
  }

  /** Nobody has proven an id here in time. */
  #giveWay(reason: string): void {
    if (this.#session === undefined) return this.#turnAway(reason);
    this.#observeRefusal(reason);
    this.#session.end({ code: ReasonCode.QUOTA_EXCEEDED, reason }, { detached: true });
  }

  /** The server ends: the client is told, the coordinator knows. */
  shutDown(): Promise<void> {
    const reason = "the server shuts down";
    const refusal = { code: ReasonCode.SERVER_SHUTTING_DOWN, reason };
    if (this.#session === undefined) this.#close(Promise.resolve());
    else this.#session.end(refusal, { detached: false });
    return this.ended;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#closing) {
        await this.#room();
        const count = await this.#read();
        if (count === null) break;
        this.#endpoint.count("up", count);
        this.#keepAlive?.heard();
        for (const cut of this.#frames.take(count)) {
          if (!this.#closing) this.#take(cut);
        }
      }
      // A socket closed with unread bytes is reset, and what was written last is lost on its way.
      const rest = new Uint8Array(64 * 1024);
      while (await this.#socket.read(rest) !== null);
    } catch (error) {
      this.#lose(`the connection was lost: ${error instanceof Error ? error.message : error}`);
    }
    this.#cancelGreeting();
    this.#cancelLinger();
    this.#newcomer?.left();
    closeQuietly(this.#socket);
  }

  /** Null when nothing more is to be taken, as the session knows by then. */
  async #read(): Promise<number | null> {
    try {
      const count = await this.#socket.read(this.#frames.space());
      if (count === null) this.#lose("the client closed the connection");
      return count;
    } catch (error) {
      if (!(error instanceof SocketFault)) throw error;
      this.#fault({ code: ReasonCode.PROTOCOL_ERROR, reason: error.message });
      return null;
    }
  }

  /** Waits until the coordinator has judged, and the client has read, enough to go on. */
  async #room(): Promise<void> {
    if (this.#session === undefined) return;
    this.#keepAlive?.deaf();
    await this.#session.room();
    await this.#gate.enter();
    this.#keepAlive?.heard();
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      const count = await this.#socket.write(offset === 0 ? bytes : bytes.subarray(offset));
      this.#endpoint.count("down", count);
      offset += count;
    }
  }

  #take(cut: Cut): void {
    switch (cut.kind) {
      case "frame":
        if (this.#session === undefined) return this.#greet(cut.bytes);
        return this.#pass(this.#session, cut.bytes);
      case "oversized": {
        const reason = `a packet of ${cut.packetBytes} bytes is too large`;
        return this.#fault({ code: ReasonCode.PACKET_TOO_LARGE, reason });
      }
      case "malformed":
        return this.#fault({ code: ReasonCode.MALFORMED_PACKET, reason: cut.detail });
      default:
        cut satisfies never;
    }
  }

  #pass(session: Session, frame: Uint8Array<ArrayBuffer>): void {
    const packet = this.#packets.read(frame);
    if ("malformed" in packet) {
      session.fault({ code: ReasonCode.MALFORMED_PACKET, reason: packet.malformed });
    } else {
      session.take(packet);
    }
  }

  #fault(refusal: Refusal): void {
    if (this.#session === undefined) this.#turnAway(`no MQTT CONNECT: ${refusal.reason}`);
    else this.#session.fault(refusal);
  }

  /** The first packet; the frame reader lets none but CONNECT through (§3.1). */
  #greet(frame: Uint8Array<ArrayBuffer>): void {
    const level = askedLevel(frame);
    if (level === undefined) return this.#turnAway("no MQTT CONNECT: another protocol name");
    if (level !== 4 && level !== 5) {
      const code = ReasonCode.UNSUPPORTED_PROTOCOL_VERSION;
      const reason = `MQTT protocol level ${level} is not spoken here, 4 (3.1.1) and 5 are`;
      return this.#refuse({ code, reason }, level > 5 ? 5 : 4);
    }
    const packet = this.#packets.read(frame);
    if ("malformed" in packet) {
      return this.#refuse({ code: ReasonCode.MALFORMED_PACKET, reason: packet.malformed }, level);
    }
    if (packet.cmd !== "connect") return this.#turnAway("the first packet is no CONNECT");
    const admission = admit(packet, this.#endpoint.terms);
    if ("code" in admission) return this.#refuse(admission, level);
    const route = this.#endpoint.enrol(admission.clientId);
    if ("code" in route) return this.#refuse(route, level);
    this.#newcomer?.becomes(route);
    this.#cancelGreeting();
    this.#session = new Session({
      admission,
      route,
      endpoint: this.#endpoint,
      gate: this.#gate,
      write: (bytes) => this.#write(bytes),
      refused: (reason) => this.#observeRefusal(reason),
      close: (reason, flush) => {
        this.#close(flush);
        this.#endpoint.upcalls.observe({ kind: "disconnected", remote: this.#remote, reason });
      },
    });
    this.#endpoint.open(this.#session);
    this.#endpoint.upcalls.observe({ kind: "connected", remote: this.#remote });
    this.#watch(this.#session, admission.silenceLimitMs);
  }

  #watch(session: Session, silenceLimitMs: number): void {
    this.#keepAlive = new KeepAlive(silenceLimitMs, () => {
      const reason = `nothing was heard for ${silenceLimitMs} ms`;
      session.lose(reason, { code: ReasonCode.KEEP_ALIVE_TIMEOUT, reason });
    }, this.#clock);
  }

  #refuse(refusal: Refusal, level: Level): void {
    this.#turnAway(refusal.reason, refusingConnack(refusal, level), level);
  }

  /** Ends a connection that has no session. */
  #turnAway(reason: string, connack?: Packet, level: Level = 4): void {
    if (this.#closing) return;
    this.#observeRefusal(reason);
    this.#close(
      connack === undefined ? Promise.resolve() : this.#write(encode(connack, level)),
    );
  }

  #lose(reason: string): void {
    if (this.#session === undefined) this.#turnAway(reason);
    else this.#session.lose(reason);
  }

  /** Ends our half once what was taken has left; the socket closes with the client's half. */
  #close(flush: Promise<void>): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#cancelGreeting();
    this.#keepAlive?.[Symbol.dispose]();
    this.#cancelLinger = this.#clock.after(LINGER_MS, () => {
      this.#session?.abandon();
      closeQuietly(this.#socket);
    });
    flush.then(() => this.#socket.closeWrite()).catch(() => {}); // lost meanwhile
  }

  #observeRefusal(reason: string): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#endpoint.upcalls.observe({ kind: "refused", remote: this.#remote, reason });
  }
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // It is closed already.
  }
}
