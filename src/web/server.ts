/** The HTTP listener. It owns its socket; what it does not know it asks. */

import { ListenError } from "../contract/protocol_server.ts";
import type { ServedFiles } from "./files.ts";
import type { Options } from "./options.ts";
import { packageFiles } from "./packages.ts";
import { statusPage } from "./page.ts";
import { Questions } from "./questions.ts";
import { type Ask, respond, type Site } from "./routes.ts";

/** Requests under way at once; more are told to come again. */
const MOST_REQUESTS = 64;
/** How long answers may still leave after disposal. */
const CLOSE_TIMEOUT_MS = 1000;

export class WebServer implements AsyncDisposable {
  readonly #options: Options;
  readonly #files: ServedFiles;
  readonly #questions: Questions;
  readonly #abort = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #requests = 0;
  #closing = false;

  constructor(options: Options, ask: Ask, files: ServedFiles = packageFiles()) {
    this.#options = options;
    this.#files = files;
    this.#questions = new Questions(ask);
    this.#closed.promise.catch(() => {}); // whoever needs it awaits it
  }

  /** Resolves on disposal; rejects when the listener is lost. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Resolves with the page's URL.
   * @throws {ListenError} when the operator must change something.
   */
  async listen(): Promise<string> {
    const site: Site = {
      ask: (topic) => this.#questions.ask(topic),
      page: await statusPage(),
      files: this.#files,
    };
    if (this.#closing) throw new Error("Cannot listen for HTTP: the listener is closed");
    const { hostname, port } = this.#options;
    try {
      this.#server = Deno.serve(
        { hostname, port, signal: this.#abort.signal, onListen: () => {} },
        (request) => this.#respond(request, site),
      );
    } catch (error) {
      throw listenError(error, hostname, port);
    }
    this.#server.finished.then(
      () => this.#over(new Error("The HTTP listener is lost")),
      (error) => this.#over(error),
    );
    const bound = this.#server.addr;
    return `http://${
      bound.hostname.includes(":") ? `[${bound.hostname}]` : bound.hostname
    }:${bound.port}/`;
  }

  #over(error: unknown): void {
    if (this.#closing) this.#closed.resolve();
    else this.#closed.reject(error);
  }

  async #respond(request: Request, site: Site): Promise<Response> {
    if (this.#requests >= MOST_REQUESTS) {
      return new Response("Too many requests at once; try again\n", {
        status: 503,
        headers: { "retry-after": "1" },
      });
    }
    this.#requests++;
    try {
      return await respond(request, site);
    } finally {
      this.#requests--;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    if (this.#server === undefined) return this.#closed.resolve();
    const timer = setTimeout(() => this.#abort.abort(), CLOSE_TIMEOUT_MS);
    await this.#server.shutdown();
    clearTimeout(timer);
    await this.#server.finished;
  }
}

function listenError(error: unknown, hostname: string, port: number): unknown {
  const where = `Cannot listen for HTTP on ${hostname}:${port}`;
  if (error instanceof Deno.errors.AddrInUse) {
    return new ListenError(
      `${where}: the address is in use; stop the other program or set --web-port`,
    );
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new ListenError(`${where}: this machine has no such address; set --web-hostname`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new ListenError(
      `${where}: the system does not allow it; set --web-port to 1024 or above`,
    );
  }
  return error;
}
