/** One client's connection: its streams read, its answers, models and other messages written. */

import { arrivalOf, encodeServerMessage } from "../../contract/codec.ts";
import { type ModelPart, type ServerMessage, Verdict } from "../../contract/federation_pb.ts";
import type { Arrival, Route, SendOutcome, Upcalls } from "../../contract/protocol_server.ts";
import { Admission } from "./admission.ts";
import type { Carrier, Parting } from "./carrier.ts";
import { within } from "./ending.ts";
import {
  type Frame,
  isStreamError,
  type MessageReader,
  type MessageWriter,
  type Meter,
} from "./frames.ts";
import { Outbox } from "./outbox.ts";
import { isLast } from "./wire.ts";

/** How long a closing connection may take to let what was taken leave. */
const FAREWELL_MS = 1000;

export interface RouteOptions {
  readonly route: Route;
  readonly remote: string;
  readonly maxMessageBytes: number;
  readonly maxUnjudgedBytes: number;
  readonly upcalls: Upcalls;
  readonly meter: Meter;
}

export class ClientRoute {
  readonly #carrier: Carrier;
  readonly #options: RouteOptions;
  readonly #admission: Admission;
  readonly #control = new Outbox();
  readonly #models = new Outbox();
  readonly #controlRead = Promise.withResolvers<void>();
  /** The stream of the download under way. */
  #model: { readonly round: number; readonly writer: MessageWriter } | undefined;
  #answered: Promise<unknown> = Promise.resolve();
  /** The coordinator has heard of this route. */
  #known = false;
  /** Why nothing arrives any more. */
  #over: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(carrier: Carrier, options: RouteOptions) {
    this.#carrier = carrier;
    this.#options = options;
    this.#admission = new Admission(options.maxUnjudgedBytes);
  }

  /** Serves the connection; resolves with the reason of its end once nothing of it is left. */
  async serve(): Promise<string> {
    const reading = new Set<Promise<void>>();
    const updates = this.#carrier.eachUpdate((frames) => {
      const read = this.#readUpdates(frames).finally(() => reading.delete(read));
      reading.add(read);
    });
    const control = this.#readControl();
    void this.#carrier.left.then(() => this.#leftSession());
    const reason = await this.#carrier.over;
    this.#detach(reason);
    await Promise.all([this.#control.end(), this.#models.end(), control, updates]);
    await Promise.all([...reading, this.#closing]);
    return this.#over ?? reason;
  }

  send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    const { body } = message;
    if (body.case === "modelPart") {
      return this.#models.send(() => this.#writePart(message, body.value, signal), signal);
    }
    return this.#control.send(() => this.#writeControl(message), signal);
  }

  /** Ends the route from our side: what was taken leaves, then the connection closes. */
  async leave(reason: string): Promise<void> {
    this.#end(reason);
    await this.#farewell(
      { verdict: Verdict.UNSPECIFIED, reason },
      Promise.race([this.#controlRead.promise, this.#carrier.left]),
    );
  }

  /** Ends the route at once: the client broke what the connection cannot go on without. */
  refuse(verdict: Verdict, reason: string): void {
    if (this.#over !== undefined) return;
    const { remote, upcalls } = this.#options;
    upcalls.observe({ kind: "refused", remote, reason });
    this.#detach(reason);
    this.#closing ??= this.#carrier.close({ verdict, reason });
  }

  async #readControl(): Promise<void> {
    const end = await this.#read(this.#carrier.control.frames);
    this.#controlRead.resolve();
    if (this.#over !== undefined) return;
    const reason = "The client ended its control stream";
    switch (end.kind) {
      case "end":
        this.#detach(reason);
        return await this.#farewell({ verdict: Verdict.UNSPECIFIED, reason }, this.#carrier.over);
      case "oversized":
        return this.refuse(Verdict.OVERSIZED, this.#oversized(end.lengthBytes));
      case "cut":
        return this.refuse(Verdict.MALFORMED, "The control stream ended inside a message");
      case "reset":
        return this.refuse(Verdict.MALFORMED, "The control stream was reset");
      case "broken":
        return this.refuse(Verdict.MALFORMED, end.detail);
      case "lost":
        return;
    }
  }

  #leftSession(): void {
    const reason = "The client closed its session";
    this.#detach(reason);
    this.#closing ??= this.#carrier.close({ verdict: Verdict.UNSPECIFIED, reason });
  }

  async #readUpdates(frames: MessageReader): Promise<void> {
    const end = await this.#read(frames);
    if (this.#over !== undefined) return;
    if (end.kind !== "oversized" && end.kind !== "cut") return; // a reset is an upload given up
    await frames.stop();
    const detail = end.kind === "oversized"
      ? this.#oversized(end.lengthBytes)
      : "A stream ended inside a message";
    const { route, remote, upcalls } = this.#options;
    upcalls.observe({ kind: "refused", remote, reason: detail });
    this.#arrive({ kind: "unreadable", route, detail }, () => {});
  }

  /** Hands in a stream's messages; resolves with what ended them. */
  async #read(
    frames: Pick<MessageReader, "next">,
  ): Promise<Exclude<Frame, { kind: "message" }>> {
    for (;;) {
      let leave = () => {};
      const frame = await frames.next({
        maxBytes: this.#options.maxMessageBytes,
        admit: async (bytes) => {
          leave = await this.#admission.enter(bytes);
        },
      });
      if (frame.kind !== "message") {
        leave();
        return frame;
      }
      this.#arrive(arrivalOf(this.#options.route, frame.bytes), leave);
    }
  }

  /** `leave` is called when the answer, if any, has been taken by the wire. */
  #arrive(arrival: Arrival, leave: () => void): void {
    if (this.#over !== undefined) return leave();
    this.#known = true;
    const judged = this.#options.upcalls.deliver(arrival);
    this.#answered = this.#answered.then(async () => {
      const answer = await judged;
      if (answer !== undefined) await this.#control.answer(() => this.#writeControl(answer));
      leave();
    });
  }

  async #writeControl(message: ServerMessage): Promise<SendOutcome> {
    try {
      await this.#write(this.#carrier.control.writer, message);
      return "taken";
    } catch (error) {
      if (isStreamError(error)) {
        this.refuse(Verdict.MALFORMED, "The client stopped its control stream");
      }
      return "gone";
    }
  }

  async #writePart(
    message: ServerMessage,
    part: ModelPart,
    signal: AbortSignal,
  ): Promise<SendOutcome> {
    try {
      if (this.#model?.round !== part.modelRound) {
        await this.#endModel();
        this.#model = { round: part.modelRound, writer: await this.#carrier.openModel() };
      }
      if (signal.aborted) return "stalled";
      await this.#write(this.#model.writer, message);
      if (isLast(part)) await this.#endModel();
      return "taken";
    } catch (error) {
      this.#model = undefined;
      return isStreamError(error) ? "stalled" : "gone";
    }
  }

  async #write(
    writer: Pick<MessageWriter, "write">,
    message: ServerMessage,
  ): Promise<void> {
    // Not `+= await`: that would read the meter, which all routes share, before the wait.
    const bytes = await writer.write(encodeServerMessage(message));
    this.#options.meter.down += bytes;
  }

  async #endModel(): Promise<void> {
    const { writer } = this.#model ?? {};
    this.#model = undefined;
    await writer?.close();
  }

  #detach(reason: string): void {
    if (this.#over !== undefined) return;
    this.#end(reason);
    const { route, upcalls } = this.#options;
    if (this.#known) void upcalls.deliver({ kind: "detached", route, reason });
  }

  #end(reason: string): void {
    this.#over ??= reason;
    this.#admission.open();
    this.#control.refuse();
    this.#models.refuse();
  }

  /** Writes what was taken and due, ends our streams, waits for the client to have read them, closes. */
  #farewell(parting: Parting, heard: Promise<unknown>): Promise<void> {
    this.#closing ??= (async () => {
      await within(FAREWELL_MS, async () => {
        await this.#answered;
        await Promise.all([this.#control.end(), this.#models.end()]);
        await Promise.all([this.#endModel(), this.#carrier.control.end(parting)]);
        await heard;
      });
      await this.#carrier.close(parting);
    })();
    return this.#closing;
  }

  #oversized(lengthBytes: number): string {
    return `A message of ${lengthBytes} bytes is larger than ${this.#options.maxMessageBytes}`;
  }
}
