/** Both ends of the typed pipe between the coordinator and a protocol server's Worker. */

import type { ServerMessage } from "./federation_pb.ts";
import { PacedServer, type PacingOptions } from "./paced_server.ts";
import {
  type Address,
  type Answer,
  type Arrival,
  type HeldModel,
  type Link,
  ListenError,
  type ModelOffset,
  type ProtocolServer,
  type Route,
  type SendOutcome,
  type Traffic,
  type Upcalls,
  type WireEvent,
} from "./protocol_server.ts";
import type { Revocations } from "./token.ts";

/** Coordinator to Worker. Calls that have an outcome carry an id. */
type Downward =
  | { kind: "start"; options: unknown; pacing: PacingOptions }
  | { kind: "answer"; id: number; answer: Answer | undefined }
  | { kind: "hold"; id: number; model: HeldModel }
  | { kind: "release"; round: number }
  | { kind: "send"; id: number; route: Route; message: ServerMessage }
  | { kind: "download"; id: number; route: Route; from: ModelOffset }
  | { kind: "acknowledge"; route: Route; held: ModelOffset }
  | { kind: "abort"; id: number }
  | { kind: "drop"; route: Route; reason: string }
  | { kind: "revoke"; revoked: Revocations }
  | { kind: "traffic"; id: number }
  | { kind: "close" };

/** Worker to coordinator. */
type Upward =
  | { kind: "listening"; addresses: readonly Address[] }
  | { kind: "arrival"; id: number; arrival: Arrival }
  | { kind: "event"; event: WireEvent }
  | { kind: "outcome"; id: number; outcome: SendOutcome }
  | { kind: "traffic"; id: number; traffic: Traffic }
  | { kind: "rejected"; id: number; reason: string }
  /** The server is done for; `operator` when the operator must change something. */
  | { kind: "failed"; reason: string; operator: boolean }
  | { kind: "closed" };

/** How long a Worker may take to let its messages leave and close its sockets. */
const CLOSE_TIMEOUT_MS = 3000;

/** The part of a Worker, and of a Worker's global scope, that the pipe uses. */
interface Port<Out, In> {
  postMessage(message: Out, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<In>) => void) | null;
}

/** A protocol server that lives in a Worker, seen from the coordinator. */
export class WorkerLink implements Link {
  readonly #worker: Worker;
  readonly #start: Extract<Downward, { kind: "start" }>;
  readonly #listening = Promise.withResolvers<readonly Address[]>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  /** Arrivals that are not answered yet. */
  readonly #delivering = new Set<Promise<void>>();
  #nextId = 1;
  #upcalls: Upcalls | undefined;
  #over = false;
  #closing = false;

  /** @param options What the Worker's protocol server is constructed with; must be cloneable. */
  constructor(worker: Worker, options: unknown, pacing: PacingOptions) {
    this.#worker = worker;
    this.#start = { kind: "start", options, pacing };
    // Whoever needs these two awaits them; nobody may need them.
    this.#listening.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
    worker.onmessage = (event: MessageEvent<Upward>) => this.#receive(event.data);
    worker.onerror = (event) => {
      event.preventDefault(); // else the error would end the whole process
      this.#fail(new Error(`Worker failed: ${event.message}`));
    };
    worker.onmessageerror = () => this.#fail(new Error("Worker sent what cannot be cloned"));
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  listen(upcalls: Upcalls): Promise<readonly Address[]> {
    this.#upcalls = upcalls;
    this.#post(this.#start);
    return this.#listening.promise;
  }

  async hold(model: HeldModel): Promise<void> {
    await this.#call((id) => ({ kind: "hold", id, model }), { transfer: [model.bytes] });
  }

  release(round: number): void {
    this.#post({ kind: "release", round });
  }

  send(
    route: Route,
    message: ServerMessage,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return this.#outcome((id) => ({ kind: "send", id, route, message }), options.signal);
  }

  download(
    route: Route,
    from: ModelOffset,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return this.#outcome((id) => ({ kind: "download", id, route, from }), options.signal);
  }

  acknowledge(route: Route, held: ModelOffset): void {
    this.#post({ kind: "acknowledge", route, held });
  }

  drop(route: Route, reason: string): void {
    this.#post({ kind: "drop", route, reason });
  }

  revoke(revoked: Revocations): void {
    this.#post({ kind: "revoke", revoked });
  }

  async traffic(): Promise<Traffic> {
    return await this.#call((id) => ({ kind: "traffic", id }), {}) as Traffic;
  }

  async #outcome(call: (id: number) => Downward, signal: AbortSignal): Promise<SendOutcome> {
    if (signal.aborted) return "stalled";
    if (this.#over) return "gone";
    try {
      return await this.#call(call, { signal }) as SendOutcome;
    } catch (error) {
      if (this.#over) return "gone"; // the Worker died with every route it had
      throw error;
    }
  }

  async #call(
    call: (id: number) => Downward,
    { transfer = [], signal }: { transfer?: Transferable[]; signal?: AbortSignal },
  ): Promise<unknown> {
    if (this.#over) throw new Error("The protocol server is closed");
    const id = this.#nextId++;
    const pending = Promise.withResolvers<unknown>();
    this.#calls.set(id, pending);
    const abort = () => this.#post({ kind: "abort", id });
    signal?.addEventListener("abort", abort);
    try {
      this.#post(call(id), transfer);
      return await pending.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#calls.delete(id);
    }
  }

  #post(message: Downward, transfer: Transferable[] = []): void {
    if (!this.#over) (this.#worker as Port<Downward, Upward>).postMessage(message, transfer);
  }

  #receive(message: Upward): void {
    switch (message.kind) {
      case "listening":
        return this.#listening.resolve(message.addresses);
      case "arrival": {
        const delivery = this.#deliver(message.id, message.arrival)
          .finally(() => this.#delivering.delete(delivery));
        this.#delivering.add(delivery);
        return;
      }
      case "event":
        return this.#upcalls?.observe(message.event);
      case "outcome":
        return this.#calls.get(message.id)?.resolve(message.outcome);
      case "traffic":
        return this.#calls.get(message.id)?.resolve(message.traffic);
      case "rejected":
        return this.#calls.get(message.id)?.reject(new RangeError(message.reason));
      case "failed":
        return this.#fail(
          message.operator ? new ListenError(message.reason) : new Error(message.reason),
        );
      case "closed":
        return this.#end(undefined);
      default:
        message satisfies never;
    }
  }

  async #deliver(id: number, arrival: Arrival): Promise<void> {
    const answer = await this.#upcalls?.deliver(arrival);
    this.#post({ kind: "answer", id, answer });
  }

  #fail(error: Error): void {
    this.#end(error);
  }

  /** The Worker is over, by itself or by our wish: settles everything that waits for it. */
  #end(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#worker.terminate();
    const reason = error ?? new Error("The protocol server is closed");
    this.#listening.reject(reason);
    for (const call of this.#calls.values()) call.reject(reason);
    if (error === undefined || this.#closing) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    // A Worker that does not answer any more is ended all the same.
    const timer = setTimeout(() => this.#end(undefined), CLOSE_TIMEOUT_MS);
    const closed = this.#closed.promise.catch(() => {});
    // The run may end with the very message that is being answered: its client waits for a Receipt.
    await Promise.race([Promise.all(this.#delivering), closed]);
    this.#post({ kind: "close" });
    await closed;
    clearTimeout(timer);
  }
}

/** Makes a protocol server from the options that came with the Worker's start. */
export type MakeServer = (options: unknown) => ProtocolServer;

/** The Worker's end: what a protocol's worker.ts calls, once, at its top level. */
export function serveLink(makeServer: MakeServer): void {
  // The global scope of a Worker has both members; its type is that of the main thread.
  const port = globalThis as unknown as Port<Upward, Downward>;
  const far = new FarEnd(port, makeServer);
  port.onmessage = (event) => far.receive(event.data);
}

class FarEnd {
  readonly #port: Port<Upward, Downward>;
  readonly #makeServer: MakeServer;
  readonly #answers = new Map<number, (answer: Answer | undefined) => void>();
  readonly #aborts = new Map<number, AbortController>();
  #nextId = 1;
  #server: PacedServer | undefined;

  constructor(port: Port<Upward, Downward>, makeServer: MakeServer) {
    this.#port = port;
    this.#makeServer = makeServer;
  }

  receive(message: Downward): void {
    if (message.kind === "start") {
      void this.#start(message.options, message.pacing);
      return;
    }
    const server = this.#server;
    if (message.kind === "close") {
      void this.#close(server);
      return;
    }
    if (message.kind === "answer") {
      this.#answers.get(message.id)?.(message.answer);
      this.#answers.delete(message.id);
      return;
    }
    if (server === undefined) return; // it failed to start, and has said so
    switch (message.kind) {
      case "hold":
        void this.#reply(message.id, async () => {
          await server.hold(message.model);
          return "taken";
        });
        return;
      case "release":
        return server.release(message.round);
      case "send":
        void this.#reply(
          message.id,
          (signal) => server.send(message.route, message.message, { signal }),
        );
        return;
      case "download":
        void this.#reply(
          message.id,
          (signal) => server.download(message.route, message.from, { signal }),
        );
        return;
      case "acknowledge":
        return server.acknowledge(message.route, message.held);
      case "abort":
        return this.#aborts.get(message.id)?.abort();
      case "drop":
        return server.drop(message.route, message.reason);
      case "revoke":
        return server.revoke(message.revoked);
      case "traffic":
        void server.traffic().then((traffic) =>
          this.#post({ kind: "traffic", id: message.id, traffic })
        );
        return;
      default:
        message satisfies never;
    }
  }

  async #start(options: unknown, pacing: PacingOptions): Promise<void> {
    try {
      const server = new PacedServer(this.#makeServer(options), pacing);
      this.#server = server;
      server.closed.catch((error) => this.#failed(error));
      const addresses = await server.listen({
        deliver: (arrival) => this.#deliver(arrival),
        observe: (event) => this.#post({ kind: "event", event }),
      });
      this.#post({ kind: "listening", addresses });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Errors cross as data: a clone of an Error would lose its class. */
  #failed(error: unknown): void {
    const operator = error instanceof ListenError;
    const reason = error instanceof Error ? error.message : String(error);
    this.#post({ kind: "failed", reason, operator });
  }

  #deliver(arrival: Arrival): Promise<Answer | undefined> {
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    this.#answers.set(id, resolve);
    this.#post({ kind: "arrival", id, arrival }, transfersOf(arrival));
    return promise;
  }

  async #reply(id: number, act: (signal: AbortSignal) => Promise<SendOutcome>): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    try {
      this.#post({ kind: "outcome", id, outcome: await act(abort.signal) });
    } catch (error) {
      this.#post({ kind: "rejected", id, reason: error instanceof Error ? error.message : "" });
    } finally {
      this.#aborts.delete(id);
    }
  }

  async #close(server: PacedServer | undefined): Promise<void> {
    await server?.[Symbol.asyncDispose]();
    this.#post({ kind: "closed" });
  }

  #post(message: Upward, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}

/** An update's bytes are moved, never copied. */
function transfersOf(arrival: Arrival): Transferable[] {
  if (arrival.kind !== "message" || arrival.message.body.case !== "updatePart") return [];
  const buffer = arrival.message.body.value.bytes.buffer;
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}
