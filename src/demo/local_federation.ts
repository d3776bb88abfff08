/** A whole federation on this machine: the server in this process, each client a process of its own. */

import type { Outcome } from "../coordinator/options.ts";
import { FederationServer, type ServerParts } from "../server/federation_server.ts";
import { ClientProcess, type ClientSpec } from "./client_process.ts";

export interface LocalFederationSpec {
  readonly parts: ServerParts;
  /** What the client of a wire is started with. */
  readonly client: (seat: Seat) => Omit<ClientSpec, "wire">;
  /** Ends the wait for the run. */
  readonly signal: AbortSignal;
}

/** One client's place: its wire, the address there, and which of all clients it is. */
export interface Seat {
  readonly wire: string;
  readonly url: string;
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** A client ended before the run did; the message says which and why. */
export class ClientFailed extends Error {
  override readonly name = "ClientFailed";
}

export class LocalFederation implements AsyncDisposable {
  readonly server: FederationServer;
  readonly #spec: LocalFederationSpec;
  readonly #stack = new AsyncDisposableStack();
  /** By wire: those whose end with an error is the run's. */
  readonly #clients = new Map<string, ClientProcess>();
  readonly #failed = Promise.withResolvers<never>();

  private constructor(server: FederationServer, spec: LocalFederationSpec) {
    this.server = this.#stack.use(server);
    this.#spec = spec;
    this.#failed.promise.catch(() => {}); // who waits for the run hears it
  }

  /**
   * Starts the server, and then a client on each of its wires.
   * @throws what `FederationServer.open` throws; nothing is left running.
   */
  static async open(spec: LocalFederationSpec): Promise<LocalFederation> {
    const server = await FederationServer.open(spec.parts);
    const federation = new LocalFederation(server, spec);
    try {
      for (const wire of federation.#wires) federation.start(wire);
      return federation;
    } catch (error) {
      await federation[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Each once, though a wire may have several addresses. */
  get #wires(): string[] {
    return [...new Set(this.server.addresses.map(({ wire }) => wire))];
  }

  get clients(): ReadonlyMap<string, ClientProcess> {
    return this.#clients;
  }

  /** Starts the client of a wire; again, in the place of one that was killed. */
  start(wire: string): ClientProcess {
    const address = this.server.addresses.find((each) => each.wire === wire);
    if (address === undefined) throw new RangeError(`Cannot start a client: no wire ${wire}`);
    const wires = this.#wires;
    const seat = { wire, url: address.url, index: wires.indexOf(wire), count: wires.length };
    const client = this.#stack.use(new ClientProcess({ wire, ...this.#spec.client(seat) }));
    this.#clients.set(wire, client);
    void this.#watch(client);
    return client;
  }

  /** Kills the client of a wire as a crash or a power cut would. Resolves when it is no more. */
  async kill(wire: string): Promise<void> {
    const client = this.#clients.get(wire);
    this.#clients.delete(wire);
    client?.kill("SIGKILL");
    await client?.ended();
  }

  async #watch(client: ClientProcess): Promise<void> {
    const { code, newest } = await client.ended();
    if (code === 0 || this.#clients.get(client.wire) !== client) return;
    const { wire } = client;
    this.#failed.reject(
      new ClientFailed(`the ${wire} client ended with code ${code}: ${newest.join("; ")}`),
    );
  }

  /**
   * Resolves when the run has ended.
   * @throws {ClientFailed} when a client ends with an error before.
   * @throws the signal's reason once it fires.
   */
  async finished(): Promise<Outcome> {
    const { signal } = this.#spec;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.server.finished, this.#failed.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Resolves when every client has ended by itself: the exit code of each wire's. */
  async ended(): Promise<Map<string, number>> {
    const codes = new Map<string, number>();
    for (const [wire, client] of this.#clients) codes.set(wire, (await client.ended()).code);
    return codes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}
