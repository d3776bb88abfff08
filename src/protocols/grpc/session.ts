/** One Session call as the server sees it: a route, and all that passes on it. */

import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import { arrivalOf, encodeServerMessage } from "../../contract/codec.ts";
import type { ServerMessage } from "../../contract/federation_pb.ts";
import type { Gate } from "../../contract/gate.ts";
import type { Deliver, Route, SendOutcome } from "../../contract/protocol_server.ts";
import { Outbox } from "./outbox.ts";

export type SessionCall = ServerDuplexStream<Uint8Array, Uint8Array>;

export class Session {
  readonly route: Route;
  readonly #call: SessionCall;
  readonly #outbox = new Outbox((message) => this.#write(message));
  readonly #over = Promise.withResolvers<void>();
  #reading = true;
  #writing: PromiseWithResolvers<boolean> | undefined;
  #ended: string | undefined;

  constructor(route: Route, call: SessionCall) {
    this.route = route;
    this.#call = call;
    call.once("close", () => {
      this.#reading = false;
      this.#writing?.resolve(false); // grpc-js forgets the callback of a write that is cut short
      this.#over.resolve();
    });
    call.sendMetadata(new Metadata()); // by the headers the client knows that it is let in
  }

  /** Why the server ended the call; undefined where it did not. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** Delivers what comes in, as far as the gate allows. Resolves when the call is over. */
  async serve(deliver: Deliver, gate: Gate): Promise<void> {
    void this.#read(deliver, gate);
    await this.#over.promise;
    await this.#outbox.close();
  }

  send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    return this.#outbox.send(message, signal);
  }

  /** Reads no more, and ends the call once what the wire has taken is on its way. */
  end(reason: string): void {
    this.#reading = false;
    this.#ended ??= reason;
    void this.#outbox.close().then(() => this.#call.end());
  }

  async #read(deliver: Deliver, gate: Gate): Promise<void> {
    try {
      for await (const bytes of this.#call.iterator({ destroyOnReturn: false })) {
        if (!this.#reading) return;
        const judged = deliver(arrivalOf(this.route, bytes));
        gate.hold(bytes.length, this.#outbox.answer(judged));
      }
      // The client has said all it had to say: the call ends once it has heard the rest.
      await this.#outbox.drained();
      this.#call.end();
    } catch {
      // The call broke off in the middle, which its "close" says too.
    }
  }

  #write(message: ServerMessage): Promise<boolean> {
    const writing = this.#writing = Promise.withResolvers<boolean>();
    this.#call.write(
      encodeServerMessage(message),
      (error?: Error | null) => writing.resolve(!error),
    );
    return writing.promise;
  }
}
