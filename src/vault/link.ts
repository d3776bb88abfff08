/** The coordinator's end of the pipe to the vault's Worker. */

import { NOTHING } from "../contract/least.ts";
import type { VaultCalls, VaultReply, VaultRequest, VaultStart } from "./calls.ts";
import { type Opened, VaultError } from "./vault.ts";

/** As the vault starts, with its model there already or on its way. */
export interface Starting extends Omit<VaultStart, "initialModel"> {
  readonly initialModel: ArrayBuffer | Promise<ArrayBuffer>;
}

/** The least the Worker needs: its own directory, if there is one. */
export function permissions(stateDirectory: string | undefined): Deno.PermissionOptionsObject {
  const files = stateDirectory === undefined ? false : [stateDirectory];
  return { ...NOTHING, read: files, write: files };
}

/** A vault in a Worker of its own. Calls are carried out in the order they are made. */
export class VaultLink implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #opened = Promise.withResolvers<Opened>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  #nextId = 1;
  #over = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#opened.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
    worker.onmessage = (event: MessageEvent<VaultReply>) => this.#receive(event.data);
    worker.onerror = (event) => {
      event.preventDefault(); // else the error would end the whole process
      this.#end(new Error(`The vault failed: ${event.message}`));
    };
  }

  /**
   * Starts the Worker and opens the state directory. Transfers the initial model; while that is being
   * made, the Worker loads.
   * @throws {VaultError} for a state directory or a model that cannot be used.
   */
  static async open(start: Starting): Promise<{ vault: VaultLink; opened: Opened }> {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(start.stateDirectory) },
    });
    const vault = new VaultLink(worker);
    try {
      const initialModel = await start.initialModel;
      vault.#post({ kind: "open", start: { ...start, initialModel } }, [initialModel]);
      return { vault, opened: await vault.#opened.promise };
    } catch (error) {
      await vault[Symbol.asyncDispose]();
      throw error;
    }
  }

  readonly calls: VaultCalls = {
    begin: (...args) => this.#call("begin", args),
    part: (part) => this.#call("part", [part], [part.bytes.buffer as ArrayBuffer]),
    discard: (...args) => this.#call("discard", args),
    abandon: (...args) => this.#call("abandon", args),
    close: (...args) => this.#call("close", args),
    save: (...args) => this.#call("save", args),
    evaluated: (...args) => this.#call("evaluated", args),
    copies: (...args) => this.#call("copies", args),
    sha256: (...args) => this.#call("sha256", args),
    finish: (...args) => this.#call("finish", args),
    end: (...args) => this.#call("end", args),
    keepSession: (...args) => this.#call("keepSession", args),
    endSession: (...args) => this.#call("endSession", args),
  };

  /** Resolves on disposal; rejects when the Worker is lost. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async #call<Name extends keyof VaultCalls>(
    name: Name,
    args: Parameters<VaultCalls[Name]>,
    transfer: Transferable[] = [],
  ): Promise<Awaited<ReturnType<VaultCalls[Name]>>> {
    if (this.#over) throw new Error("The vault is closed");
    const id = this.#nextId++;
    const pending = Promise.withResolvers<unknown>();
    this.#pending.set(id, pending);
    this.#post({ kind: "call", id, name, args }, transfer);
    return await pending.promise as Awaited<ReturnType<VaultCalls[Name]>>;
  }

  #receive(reply: VaultReply): void {
    switch (reply.kind) {
      case "opened":
        return this.#opened.resolve(reply.opened);
      case "result":
        return this.#take(reply.id)?.resolve(reply.result);
      case "rejected":
        return this.#take(reply.id)?.reject(
          reply.isFull ? new VaultError(reply.reason, { isFull: true }) : new Error(reply.reason),
        );
      case "failed":
        return this.#end(
          reply.operator
            ? new VaultError(reply.reason, { isFull: reply.isFull })
            : new Error(reply.reason),
        );
      case "closed":
        return this.#end(undefined);
      default:
        reply satisfies never;
    }
  }

  #take(id: number): PromiseWithResolvers<unknown> | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #end(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#worker.terminate();
    const reason = error ?? new Error("The vault is closed");
    this.#opened.reject(reason);
    for (const pending of this.#pending.values()) pending.reject(reason);
    this.#pending.clear();
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  #post(request: VaultRequest, transfer: Transferable[] = []): void {
    if (!this.#over) this.#worker.postMessage(request, transfer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#post({ kind: "close" });
    await this.#closed.promise.catch(() => {});
  }
}
