/**
 * Connections on which nobody has proven an id yet, where tokens are required: each has so long for it,
 * and once every place is taken the oldest of them makes room, so that who has a token finds one.
 */

import type { Newcomer, Route } from "./protocol_server.ts";
import type { TimeOfDay } from "./time_of_day.ts";

export interface NewcomersOptions {
  /** Connections at once, proven or not. */
  readonly maxConnections: number;
  /** From when a connection is there to when its token must have been taken. */
  readonly proofTimeoutMs: number;
  readonly time: TimeOfDay;
}

interface Connection {
  readonly end: (reason: string) => void;
  cancel: () => void;
  routeId: number | undefined;
}

export class Newcomers implements Disposable {
  readonly #options: NewcomersOptions;
  /** In the order in which they came. */
  readonly #unproven = new Set<Connection>();
  readonly #proven = new Set<Connection>();
  readonly #byRoute = new Map<number, Connection>();

  constructor(options: NewcomersOptions) {
    this.#options = options;
  }

  /** A connection has come. `end` is called where it must go, and only while it is unproven. */
  meet(end: (reason: string) => void): Newcomer {
    const { maxConnections, proofTimeoutMs, time } = this.#options;
    const connection: Connection = { end, cancel: () => {}, routeId: undefined };
    const [oldest] = this.#unproven;
    this.#unproven.add(connection);
    connection.cancel = time.after(proofTimeoutMs, () => {
      this.#end(connection, `nobody has proven an id by a token within ${proofTimeoutMs} ms`);
    });
    // The newest may stay while all others are proven: whoever comes next takes its place.
    if (oldest !== undefined && this.#unproven.size + this.#proven.size > maxConnections) {
      this.#end(oldest, "others need its place, and nobody has proven an id by a token on it");
    }
    return {
      becomes: (route) => this.#becomes(connection, route),
      left: () => this.#forget(connection),
    };
  }

  #becomes(connection: Connection, { id }: Route): void {
    if (!this.#unproven.has(connection)) return; // it was ended meanwhile
    connection.routeId = id;
    this.#byRoute.set(id, connection);
  }

  /** A token was taken on a route. False where every place has a proven client: it must go. */
  prove({ id }: Route): boolean {
    const connection = this.#byRoute.get(id);
    if (connection === undefined || this.#proven.has(connection)) return true;
    if (this.#proven.size >= this.#options.maxConnections) return false;
    connection.cancel();
    this.#unproven.delete(connection);
    this.#proven.add(connection);
    return true;
  }

  #end(connection: Connection, reason: string): void {
    this.#forget(connection);
    connection.end(reason);
  }

  #forget(connection: Connection): void {
    connection.cancel();
    this.#unproven.delete(connection);
    this.#proven.delete(connection);
    if (connection.routeId !== undefined) this.#byRoute.delete(connection.routeId);
  }

  [Symbol.dispose](): void {
    for (const connection of [...this.#unproven, ...this.#proven]) this.#forget(connection);
  }
}
