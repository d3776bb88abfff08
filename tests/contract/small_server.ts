/** A protocol server without a wire: it does what the messages sent through it say. */

import { clientMessage } from "../../src/contract/codec.ts";
import type { ClientMessage, ServerMessage } from "../../src/contract/federation_pb.ts";
import {
  type Address,
  ListenError,
  type ProtocolServer,
  type Route,
  type SendOutcome,
  type Traffic,
  type Upcalls,
} from "../../src/contract/protocol_server.ts";

export interface SmallOptions {
  /** What `listen` does. */
  readonly listen?: "works" | "is refused" | "breaks";
  /** Never ends by itself. */
  readonly deaf?: boolean;
}

export class SmallServer implements ProtocolServer {
  readonly #options: SmallOptions;
  readonly #closed = Promise.withResolvers<void>();
  #upcalls: Upcalls | undefined;

  constructor(options: SmallOptions) {
    this.#options = options;
    this.#closed.promise.catch(() => {});
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  listen(upcalls: Upcalls): Promise<readonly Address[]> {
    this.#upcalls = upcalls;
    switch (this.#options.listen) {
      case "is refused":
        return Promise.reject(new ListenError("The port 7 is in use: choose another --small-port"));
      case "breaks":
        return Promise.reject(new TypeError("small is broken"));
      default:
        return Promise.resolve([{ wire: "small", url: "small://here/default" }]);
    }
  }

  /** The detail of a Closing is an order; any other message is taken. */
  send(
    route: Route,
    message: ServerMessage,
    { signal }: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    if (message.body.case !== "closing") return Promise.resolve("taken");
    switch (message.body.value.detail) {
      case "crash":
        queueMicrotask(() => {
          throw new Error("small crashed");
        });
        return Promise.withResolvers<SendOutcome>().promise;
      case "lose the listener":
        this.#closed.reject(new Error("small lost its listener"));
        return Promise.resolve("gone");
      case "break":
        return Promise.reject(new TypeError("small cannot send"));
      case "wait": {
        const { promise, resolve } = Promise.withResolvers<SendOutcome>();
        signal.addEventListener("abort", () => resolve("stalled"));
        this.#say("waiting");
        return promise;
      }
      case "deliver":
        void this.#deliver(route);
        return Promise.resolve("taken");
      default:
        return Promise.resolve("taken");
    }
  }

  /** Delivers a part of an update, and tells how much of it is left here. */
  async #deliver(route: Route): Promise<void> {
    const message = partOf(1000);
    const judged = this.#upcalls?.deliver({ kind: "message", route, message });
    const { body } = message;
    this.#say(`left ${body.case === "updatePart" ? body.value.bytes.buffer.byteLength : -1}`);
    const answer = await judged;
    this.#say(`answered ${answer?.body.value.verdict}`);
  }

  drop(route: Route, reason: string): void {
    this.#say(`dropped ${route.id} ${reason}`);
  }

  traffic(): Promise<Traffic> {
    return Promise.resolve({ up: 1, down: 2, connections: 3 });
  }

  #say(reason: string): void {
    this.#upcalls?.observe({ kind: "refused", remote: "small", reason });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#options.deaf) await Promise.withResolvers<void>().promise;
    this.#closed.resolve();
  }
}

export function partOf(length: number): ClientMessage {
  const bytes = Uint8Array.from({ length }, (_, index) => index & 0xff);
  return clientMessage({
    clientId: "client-1",
    body: { case: "updatePart", value: { bytes, totalBytes: BigInt(length) } },
  });
}
