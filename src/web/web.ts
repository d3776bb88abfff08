/** The status page, seen from the main thread: it starts the listener's Worker and answers its questions. */

import { ListenError } from "../contract/protocol_server.ts";
import type { ServedFiles } from "./files.ts";
import { type ListenerOptions, permissions } from "./options.ts";
import { packageFiles } from "./packages.ts";
import type { Downward, Port, Topic, Upward } from "./pipe.ts";
import { type Status, unreadiness } from "./status.ts";

/** What the page shows; asked when a request comes in, one question of a kind at a time. */
export interface Answers {
  status(): Status | Promise<Status>;
  /** Prometheus' text format. */
  metrics(): Promise<string>;
  /** A peer was turned away before it could ask. */
  refused?(peer: { readonly remote: string; readonly reason: string }): void;
}

/** Starts the Worker of the listener. */
export type Spawn = (permissions: Deno.PermissionOptionsObject) => Worker;

function spawnListener(permissions: Deno.PermissionOptionsObject): Worker {
  const url = new URL("./worker.ts", import.meta.url);
  return new Worker(url, { type: "module", deno: { permissions } });
}

export class Web implements AsyncDisposable {
  readonly #options: ListenerOptions;
  readonly #files: ServedFiles = packageFiles();
  readonly #answers: Answers;
  readonly #worker: Worker;
  readonly #listening = Promise.withResolvers<string>();
  readonly #closed = Promise.withResolvers<void>();
  #over = false;
  #closing = false;

  constructor(options: ListenerOptions, answers: Answers, spawn: Spawn = spawnListener) {
    this.#options = options;
    this.#answers = answers;
    // Whoever needs these two awaits them; nobody may need them.
    this.#listening.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
    const served = [...this.#files.values()].map(({ path }) => path);
    this.#worker = spawn(permissions(options, served));
    this.#worker.onmessage = (event: MessageEvent<Upward>) => this.#receive(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault(); // else the error would end the whole process
      this.#end(new Error(`The status page's Worker failed: ${event.message}`));
    };
  }

  /** Resolves on disposal; rejects when the page can no longer be served. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Resolves with the page's URL. Called once.
   * @throws {ListenError} when the operator must change something.
   */
  listen(): Promise<string> {
    this.#post({ kind: "start", options: this.#options, files: this.#files });
    return this.#listening.promise;
  }

  #receive(message: Upward): void {
    switch (message.kind) {
      case "listening":
        return this.#listening.resolve(message.url);
      case "ask":
        void this.#answer(message.id, message.topic);
        return;
      case "refused":
        return this.#answers.refused?.({ remote: message.remote, reason: message.reason });
      case "failed":
        return this.#end(
          message.operator ? new ListenError(message.reason) : new Error(message.reason),
        );
      case "closed":
        return this.#end(undefined);
      default:
        message satisfies never;
    }
  }

  async #answer(id: number, topic: Topic): Promise<void> {
    try {
      this.#post({ kind: "reply", id, text: await this.#textOf(topic) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#post({ kind: "rejected", id, reason });
    }
  }

  async #textOf(topic: Topic): Promise<string> {
    switch (topic) {
      case "status":
        return JSON.stringify(await this.#answers.status()) + "\n";
      case "metrics":
        return await this.#answers.metrics();
      case "readiness":
        return unreadiness(await this.#answers.status()) ?? "";
    }
  }

  #post(message: Downward): void {
    if (!this.#over) (this.#worker as Port<Downward, Upward>).postMessage(message);
  }

  /** The Worker is over, by itself or by our wish. */
  #end(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#worker.terminate();
    this.#listening.reject(error ?? new Error("The status page is closed"));
    if (error === undefined || this.#closing) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.#post({ kind: "close" });
    await this.#closed.promise.catch(() => {});
  }
}
