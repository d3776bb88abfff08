/** A protocol server with models: cuts them into parts and paces the parts by each client's acknowledgements. */

import { serverMessage } from "./codec.ts";
import { GuardedServer, type GuardOptions } from "./guarded_server.ts";
import type {
  Address,
  HeldModel,
  Link,
  ModelOffset,
  ProtocolServer,
  Route,
  SendOutcome,
  Traffic,
  Upcalls,
} from "./protocol_server.ts";
import type { ServerMessage } from "./federation_pb.ts";
import type { Revocations } from "./token.ts";

export interface PacingOptions {
  /** The run every part is marked with. */
  readonly runId: string;
  readonly partBytes: number;
  /** Unacknowledged bytes per client, at most. */
  readonly windowBytes: number;
  /** Tokens are required, and this server does not see to it itself. */
  readonly guard?: GuardOptions;
}

/** One client's download: what was sent, what was acknowledged, and who waits for a change. */
interface Download {
  readonly round: number;
  sentBytes: number;
  heldBytes: number;
  /** The client spoke of this model on this route: an empty model is held only then. */
  heard: boolean;
  /** An offset was repeated: once the window is used up, what follows it is sent again. */
  askedAgain: boolean;
  /** All the window allows was sent. */
  waiting: PromiseWithResolvers<void> | undefined;
  readonly abort: AbortController;
}

/** Gives any ProtocolServer the model half of `Link`. Runs beside the server, so mostly in its Worker. */
export class PacedServer implements Link {
  readonly #server: ProtocolServer;
  readonly #options: PacingOptions;
  readonly #models = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #downloads = new Map<number, Download>();

  constructor(server: ProtocolServer, options: PacingOptions) {
    const { guard } = options;
    this.#server = guard === undefined ? server : new GuardedServer(server, guard);
    this.#options = options;
  }

  get closed(): Promise<void> {
    return this.#server.closed;
  }

  listen(upcalls: Upcalls): Promise<readonly Address[]> {
    return this.#server.listen(upcalls);
  }

  send(
    route: Route,
    message: ServerMessage,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    return this.#server.send(route, message, options);
  }

  drop(route: Route, reason: string): void {
    this.#downloads.get(route.id)?.abort.abort();
    this.#server.drop(route, reason);
  }

  revoke(revoked: Revocations): void {
    this.#server.revoke?.(revoked);
  }

  traffic(): Promise<Traffic> {
    return this.#server.traffic();
  }

  hold(model: HeldModel): Promise<void> {
    // Takes the buffer from the caller, as crossing into a Worker does.
    const bytes = structuredClone(model.bytes, { transfer: [model.bytes] });
    this.#models.set(model.round, new Uint8Array(bytes));
    return Promise.resolve();
  }

  /** Ends the downloads of it: nobody's task needs that model any more. */
  release(round: number): void {
    this.#models.delete(round);
    for (const download of this.#downloads.values()) {
      if (download.round === round) download.abort.abort();
    }
  }

  async download(
    route: Route,
    from: ModelOffset,
    options: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    const model = this.#models.get(from.round);
    if (model === undefined) {
      throw new RangeError(`Cannot download the model of round ${from.round}: it is not held`);
    }
    this.#downloads.get(route.id)?.abort.abort();
    const download: Download = {
      round: from.round,
      sentBytes: Math.min(from.offset, model.length),
      heldBytes: Math.min(from.offset, model.length),
      heard: false,
      askedAgain: false,
      waiting: undefined,
      abort: new AbortController(),
    };
    this.#downloads.set(route.id, download);
    const signal = AbortSignal.any([options.signal, download.abort.signal]);
    const wake = () => download.waiting?.resolve();
    signal.addEventListener("abort", wake);
    try {
      return await this.#pace(route, model, download, signal);
    } finally {
      signal.removeEventListener("abort", wake);
      if (this.#downloads.get(route.id) === download) this.#downloads.delete(route.id);
    }
  }

  async #pace(
    route: Route,
    model: Uint8Array<ArrayBuffer>,
    download: Download,
    signal: AbortSignal,
  ): Promise<SendOutcome> {
    let first = true;
    while (!signal.aborted) {
      if (download.heldBytes >= model.length && (download.heard || download.sentBytes > 0)) {
        return "taken";
      }
      const unacknowledged = download.sentBytes - download.heldBytes;
      const roomBytes = this.#options.windowBytes - unacknowledged;
      const nextBytes = Math.min(this.#options.partBytes, model.length - download.sentBytes);
      // At least one part is always under way, however small the window.
      const mayGo = nextBytes > 0 && (roomBytes >= nextBytes || unacknowledged === 0);
      if (mayGo || (first && nextBytes === 0)) {
        const part = model.subarray(download.sentBytes, download.sentBytes + nextBytes);
        const offset = download.sentBytes;
        download.sentBytes += nextBytes;
        first = false;
        const message = serverMessage({
          runId: this.#options.runId,
          body: {
            case: "modelPart",
            value: {
              modelRound: download.round,
              totalBytes: BigInt(model.length),
              offset: BigInt(offset),
              bytes: part,
            },
          },
        });
        const outcome = await this.#server.send(route, message, { signal });
        if (outcome !== "taken") return outcome;
      } else if (download.askedAgain) {
        download.askedAgain = false;
        download.sentBytes = download.heldBytes;
      } else {
        download.waiting = Promise.withResolvers<void>();
        await download.waiting.promise;
        download.waiting = undefined;
      }
    }
    return "stalled";
  }

  acknowledge(route: Route, held: ModelOffset): void {
    this.#server.acknowledge?.(route, held);
    const download = this.#downloads.get(route.id);
    const model = this.#models.get(held.round);
    if (download === undefined || model === undefined || download.round !== held.round) return;
    download.heard = true;
    if (held.offset > download.heldBytes) {
      download.heldBytes = Math.min(held.offset, model.length);
      download.sentBytes = Math.max(download.sentBytes, download.heldBytes);
      download.askedAgain = false;
    } else if (held.offset === download.heldBytes && download.sentBytes > download.heldBytes) {
      download.askedAgain = true;
    }
    download.waiting?.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const download of this.#downloads.values()) download.abort.abort();
    this.#models.clear();
    await this.#server[Symbol.asyncDispose]();
  }
}
