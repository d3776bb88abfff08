/** One client's connection: owns its socket, reads it, and closes it as §2.2.4 and 1.4 close demand. */

import type { Newcomer, Upcalls } from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import { type StreamConn, TlsError } from "../../contract/tls.ts";
import { Channels } from "./channels.ts";
import type { ClientRoute } from "./client_route.ts";
import { AmqpException, type ReplyName } from "./exceptions.ts";
import {
  type Frame,
  FRAME_MIN_BYTES,
  FrameBuffer,
  FrameType,
  methodFrame,
  PROTOCOL_HEADER,
} from "./frames.ts";
import { type Agreement, Handshake, startFields } from "./handshake.ts";
import { Membership } from "./membership.ts";
import { decodeMethod, type Method, METHODS } from "./methods.ts";
import type { Options } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { Pool } from "./pool.ts";
import { Pulse } from "./pulse.ts";
import type { VirtualHost } from "./vhost.ts";

/** How long a peer has to answer connection.close, or to take the last octets. */
const GRACE_MS = 1000;

/** How many messages of the largest size may be under way on a connection's channels at once. */
const UNFINISHED_MESSAGES = 2;

/** They tell a client what is there and what is not; nobody is turned away with them. */
const ORDINARY: ReadonlySet<ReplyName> = new Set<ReplyName>([
  "NOT_FOUND",
  "RESOURCE_LOCKED",
  "PRECONDITION_FAILED",
]);

/** What a connection finds at its server. */
export interface Ground {
  readonly server: ServerOptions;
  readonly own: Options;
  readonly vhost: VirtualHost;
  readonly upcalls: Upcalls;
  /** Whether one more connection may be opened. */
  readonly hasRoom: () => boolean;
  /** Makes the route of a connection that uses fl.up or fl.down. */
  readonly join: (connection: AmqpConnection, key: string) => ClientRoute;
}

/** `closing`: connection.close-ok is waited for; `lingering`: octets are discarded until the end. */
type Phase = "header" | "handshake" | "open" | "closing" | "lingering" | "over";

/** What there is only while the connection is open. */
interface Opened {
  readonly agreement: Agreement;
  readonly membership: Membership;
  readonly channels: Channels;
  readonly pulse: Pulse | undefined;
}

export class AmqpConnection {
  readonly remote: string;
  readonly #socket: StreamConn;
  readonly #ground: Ground;
  readonly #frames = new FrameBuffer(FRAME_MIN_BYTES);
  readonly #outbox: Outbox;
  readonly #handshake: Handshake;
  readonly #newcomer: Newcomer | undefined;
  #opened: Opened | undefined;
  #phase: Phase = "header";
  #readBytes = 0;
  /** The coordinator has as much to judge as it may have: nothing is read meanwhile. */
  #isPaused = false;
  /** Ends the hand-shake, the wait for close-ok, or the lingering. */
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: StreamConn, ground: Ground) {
    this.#socket = socket;
    this.#ground = ground;
    const { hostname, port } = socket.remoteAddr;
    this.remote = `${hostname}:${port}`;
    this.#outbox = new Outbox(socket, {
      room: () => this.#opened?.channels.pump(),
      failure: (reason) => this.#end(`the socket takes no more: ${reason}`),
    });
    const { server, own } = ground;
    this.#handshake = new Handshake({
      channelMax: own.channelMax,
      frameMaxBytes: own.frameMaxBytes,
      heartbeatSeconds: Math.min(65535, Math.ceil(server.heartbeatIntervalMs / 1000)),
      federation: server.federation,
    });
    this.#newcomer = ground.upcalls.meet?.((reason) => this.#giveWay(reason));
  }

  /** Nobody has proven an id here in time. */
  #giveWay(reason: string): void {
    if (this.#isOpening) this.#abandon(reason);
    else if (this.#phase === "open") this.#turnAway(new AmqpException("RESOURCE_ERROR", reason));
  }

  get #isOpening(): boolean {
    return this.#phase === "header" || this.#phase === "handshake";
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  get traffic(): { readonly up: number; readonly down: number } {
    return { up: this.#readBytes, down: this.#outbox.writtenBytes };
  }

  /** Serves the connection. Resolves when it is over; never rejects. */
  async run(): Promise<void> {
    const { handshakeTimeoutMs } = this.#ground.own;
    this.#expectWithin(handshakeTimeoutMs, `it was not open within ${handshakeTimeoutMs} ms`);
    try {
      this.#socket.setNoDelay(true);
      this.#socket.setKeepAlive(true); // for clients that want no heartbeats
      await this.#read();
      const reason = "the client closed the socket";
      if (this.#isOpening && this.#readBytes > 0) this.#abandon(`${reason} while it was opened`);
      else this.#end(reason);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof TlsError && this.#isOpening) this.#abandon(reason);
      else this.#end(reason);
    }
    await this.#outbox.drained();
  }

  async #read(): Promise<void> {
    while (this.#phase !== "over") {
      const count = await this.#socket.read(this.#frames.space());
      if (count === null) return;
      this.#readBytes += count;
      if (this.#phase === "lingering") continue;
      this.#opened?.pulse?.heard();
      this.#frames.filled(count);
      if (this.#phase === "header") this.#protocolHeader();
      await this.#takeFrames();
      if (this.#outbox.stalled) await this.#outbox.unstalled();
    }
  }

  async #takeFrames(): Promise<void> {
    while (this.#phase === "handshake" || this.#phase === "open" || this.#phase === "closing") {
      const frame = this.#frames.next();
      if (frame === undefined) return;
      if (frame instanceof AmqpException) {
        this.#raise(frame);
        this.#linger(); // where the next frame begins is not known
      } else if ("fatal" in frame) {
        this.#abandon(frame.fatal);
      } else {
        const wait = this.#accept(frame);
        if (wait === undefined) continue;
        this.#isPaused = true;
        await wait;
        this.#isPaused = false;
      }
    }
  }

  /** §4.2.2: another protocol, or another version, is answered with the header of this one. */
  #protocolHeader(): void {
    const isRight = this.#frames.protocolHeader();
    if (isRight === undefined) return;
    if (isRight) {
      this.#phase = "handshake";
      this.#outbox.push(methodFrame(0, "connection.start", startFields()));
    } else {
      this.#refused("it does not speak AMQP 0-9-1");
      this.#outbox.push(PROTOCOL_HEADER);
      this.#linger();
    }
  }

  /** Takes one frame; whatever is wrong with it becomes the exception it deserves. */
  #accept(frame: Frame): Promise<void> | undefined {
    try {
      if (frame.type === FrameType.HEARTBEAT || frame.channel === 0) this.#control(frame);
      else if (this.#opened !== undefined) return this.#opened.channels.accept(frame);
      else if (this.#phase === "handshake") this.#abandon("a channel came before connection.open");
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#raise(
        error instanceof AmqpException ? error : new AmqpException("INTERNAL_ERROR", detail),
      );
    }
    return undefined;
  }

  /** Heartbeats, and the frames of channel 0. */
  #control(frame: Frame): void {
    if (frame.type === FrameType.HEARTBEAT) {
      if (frame.channel === 0) return;
      // §4.2.3: a heartbeat's channel is 0
      throw new AmqpException("COMMAND_INVALID", `a heartbeat on channel ${frame.channel}`);
    }
    const method = frame.type === FrameType.METHOD
      ? decodeMethod(frame.payload)
      : new AmqpException("CHANNEL_ERROR", "content on channel 0"); // §4.2.6.1
    if (this.#phase === "closing") this.#whileClosing(method);
    else if (method instanceof AmqpException) throw method;
    else if (this.#phase === "handshake") this.#advance(method);
    else this.#command(method);
  }

  /** 1.4 close, rule "stability": after Close, everything but Close and Close-Ok is discarded. */
  #whileClosing(method: Method | AmqpException): void {
    if (method instanceof AmqpException) return;
    if (method.name === "connection.close-ok") this.#linger();
    if (method.name === "connection.close") {
      this.#outbox.push(methodFrame(0, "connection.close-ok", {}));
    }
  }

  #command(method: Method): void {
    if (method.name === "connection.close") {
      const { replyCode, replyText } = method.fields;
      this.#leave(`the client closed the connection: ${replyCode} ${replyText}`);
      this.#outbox.push(methodFrame(0, "connection.close-ok", {}));
      return this.#linger();
    }
    const { classId, methodId } = METHODS[method.name];
    const reply = classId !== METHODS["connection.close"].classId
      ? "CHANNEL_ERROR"
      : method.name === "connection.update-secret"
      ? "NOT_IMPLEMENTED"
      : "COMMAND_INVALID";
    const exception = new AmqpException(reply, `${method.name} has no place on channel 0`);
    exception.provokedBy = { classId, methodId };
    throw exception;
  }

  #advance(method: Method): void {
    const step = this.#handshake.take(method);
    switch (step.kind) {
      case "tune":
        return this.#outbox.push(methodFrame(0, "connection.tune", step.fields));
      case "tuned":
        return this.#frames.resize(step.frameMaxBytes);
      case "open":
        return this.#open(step.agreement);
      case "refuse":
        if (step.exception === undefined) return this.#abandon(step.reason);
        return this.#turnAway(step.exception);
      default:
        step satisfies never;
    }
  }

  #open(agreement: Agreement): void {
    const { server, own, vhost, upcalls, hasRoom, join } = this.#ground;
    if (!hasRoom()) {
      const detail = `${server.maxConnections} connections are the limit`;
      return this.#turnAway(new AmqpException("RESOURCE_ERROR", detail));
    }
    clearTimeout(this.#deadline);
    const membership = new Membership({
      federation: server.federation,
      clientId: agreement.clientId,
      owner: this,
      join: (key) => {
        const joined = join(this, key);
        this.#newcomer?.becomes(joined.route);
        return joined;
      },
    });
    const channels = new Channels({
      ...agreement,
      owner: this,
      vhost,
      membership,
      outbox: this.#outbox,
      maxMessageBytes: server.maxMessageBytes,
      unfinished: new Pool(UNFINISHED_MESSAGES * server.maxMessageBytes, () => {}),
      maxConsumers: own.maxConsumersPerChannel,
      refused: (exception) => {
        if (!ORDINARY.has(exception.reply)) this.#refused(exception.replyText);
      },
    });
    const intervalMs = agreement.heartbeatSeconds * 1000;
    const pulse = intervalMs === 0 ? undefined : new Pulse({
      intervalMs,
      outbox: this.#outbox,
      now: () => performance.now(),
      listens: () => !this.#isPaused,
      dead: () => this.#end("nothing came from it for three heartbeat intervals"), // §4.2.7
    });
    this.#opened = { agreement, membership, channels, pulse };
    this.#phase = "open";
    this.#outbox.push(methodFrame(0, "connection.open-ok", { reserved1: "" }));
    upcalls.observe({ kind: "connected", remote: this.remote });
  }

  /** Tells a client that understands it that publishing is of no use just now, or is again. */
  block(reason: string | undefined): void {
    if (!this.#opened?.agreement.notifiesBlocked) return;
    this.#outbox.push(
      reason === undefined
        ? methodFrame(0, "connection.unblocked", {})
        : methodFrame(0, "connection.blocked", { reason }),
    );
  }

  /** The server ends the connection, for no fault of the client's: the coordinator is told nothing. */
  close(reason: string): void {
    this.#opened?.membership.end(undefined);
    if (this.#phase === "open") this.#say(new AmqpException("CONNECTION_FORCED", reason));
    else if (this.#isOpening) this.#end(reason);
  }

  /** The client takes less than it asks for. */
  overrun(reason: string): void {
    if (this.#phase === "open") this.#turnAway(new AmqpException("RESOURCE_ERROR", reason));
  }

  /** The client ends the connection by what it did: a connection exception. */
  #raise(exception: AmqpException): void {
    // §2.2.4: no hand-shake for errors before Open
    if (this.#phase === "handshake") this.#abandon(exception.replyText);
    else if (this.#phase === "open") this.#turnAway(exception);
    else this.#end(exception.replyText);
  }

  #turnAway(exception: AmqpException): void {
    this.#refused(exception.replyText);
    this.#say(exception);
  }

  /** Sends connection.close and waits for close-ok. */
  #say(exception: AmqpException): void {
    const { code: replyCode, replyText, provokedBy } = exception;
    this.#leave(replyText);
    this.#outbox.push(
      methodFrame(0, "connection.close", { replyCode, replyText, ...provokedBy }),
    );
    this.#phase = "closing";
    this.#expectWithin(GRACE_MS, "it did not answer connection.close");
  }

  /** Ends the connection without a further word, as a clause demands. */
  #abandon(reason: string): void {
    if (this.#phase !== "closing") this.#refused(reason);
    this.#end(reason);
  }

  #refused(reason: string): void {
    this.#ground.upcalls.observe({ kind: "refused", remote: this.remote, reason });
  }

  /**
   * Says no more and discards what still comes, so that the last octets reach the peer: a socket
   * closed with unread octets resets the connection.
   */
  #linger(): void {
    if (this.#phase === "over") return;
    this.#phase = "lingering";
    this.#expectWithin(GRACE_MS, "it did not close its socket");
    this.#outbox.drained().then(() => this.#socket.closeWrite()).catch(() => {});
  }

  #expectWithin(ms: number, otherwise: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      if (this.#isOpening) this.#abandon(otherwise);
      else this.#end(otherwise);
    }, ms);
  }

  /** Gives back everything the connection had. */
  #leave(reason: string): void {
    const opened = this.#opened;
    if (opened === undefined) return;
    this.#opened = undefined;
    opened.pulse?.close();
    opened.channels.end();
    opened.membership.end(reason);
    this.#ground.vhost.leave(this);
    this.#ground.upcalls.observe({ kind: "disconnected", remote: this.remote, reason });
  }

  #end(reason: string): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    clearTimeout(this.#deadline);
    this.#newcomer?.left();
    this.#outbox.close();
    this.#leave(reason);
    try {
      this.#socket.close();
    } catch {
      // the socket was lost and closed before
    }
  }
}
