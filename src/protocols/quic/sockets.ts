/** The UDP sockets of dialled connections. */

import { collectGarbage } from "./port.ts";

const idle = new Map<string, Deno.QuicEndpoint[]>();

/**
 * A socket bound to any port. Deno frees the socket of a closed endpoint only when it is garbage,
 * and up to 3 MB with it: a client that redials for days takes the one it had instead.
 */
export class Socket {
  readonly #hostname: string;
  #endpoint: Deno.QuicEndpoint | undefined;
  #closed = false;

  constructor(hostname: "0.0.0.0" | "::") {
    this.#hostname = hostname;
    this.#endpoint = idle.get(hostname)?.pop() ?? new Deno.QuicEndpoint({ hostname });
  }

  get endpoint(): Deno.QuicEndpoint {
    if (this.#endpoint === undefined) throw new Error("The socket was given back");
    return this.#endpoint;
  }

  /** Ends at once what is under way on it. */
  close(): void {
    this.#closed = true;
    this.#endpoint?.close();
  }

  /** To be called when nothing is under way any more. A socket that is still open is used again. */
  async giveBack(): Promise<void> {
    const endpoint = this.#endpoint;
    this.#endpoint = undefined;
    if (endpoint === undefined) return;
    if (this.#closed) {
      await collectGarbage();
      return;
    }
    const others = idle.get(this.#hostname);
    if (others === undefined) idle.set(this.#hostname, [endpoint]);
    else others.push(endpoint);
  }
}
