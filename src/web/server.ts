/** The HTTP listener. It owns its socket; what it does not know it asks. */

import { hostOf } from "../contract/least.ts";
import { ListenError } from "../contract/protocol_server.ts";
import { schemeOf } from "../contract/tls.ts";
import type { ServedFiles } from "./files.ts";
import { HttpListener } from "./http.ts";
import type { ListenerOptions } from "./options.ts";
import { packageFiles } from "./packages.ts";
import { statusPage } from "./page.ts";
import { Questions } from "./questions.ts";
import { type Ask, respond, type Site } from "./routes.ts";

/** Requests under way at once; more are told to come again. */
const MOST_REQUESTS = 64;
/** How long answers may still leave after disposal. */
const CLOSE_TIMEOUT_MS = 1000;

export interface Surroundings {
  readonly files?: ServedFiles;
  /** A peer was turned away before it could ask. */
  readonly refused?: (remote: string, reason: string) => void;
}

export class WebServer implements AsyncDisposable {
  readonly #options: ListenerOptions;
  readonly #files: ServedFiles;
  readonly #refused: (remote: string, reason: string) => void;
  readonly #questions: Questions;
  readonly #closed = Promise.withResolvers<void>();
  #listener: HttpListener | undefined;
  #requests = 0;
  #closing: Promise<void> | undefined;

  constructor(options: ListenerOptions, ask: Ask, surroundings: Surroundings = {}) {
    const { files = packageFiles(), refused = () => {} } = surroundings;
    this.#options = options;
    this.#files = files;
    this.#refused = refused;
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
    if (this.#closing !== undefined) {
      throw new Error("Cannot listen for HTTP: the listener is closed");
    }
    const { hostname, port, tls } = this.#options;
    const listener = new HttpListener({
      tls,
      answer: (request) => this.#respond(request, site),
      refused: this.#refused,
    });
    let bound: { address: string; port: number };
    try {
      bound = await listener.listen(hostname, port);
    } catch (error) {
      throw listenError(error, hostname, port);
    }
    this.#listener = listener;
    listener.lost.catch(this.#closed.reject);
    return `${schemeOf("http", tls)}://${hostOf(bound.address)}:${bound.port}/`;
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
    this.#closing ??= this.#listener?.close(CLOSE_TIMEOUT_MS) ?? Promise.resolve();
    await this.#closing;
    this.#closed.resolve();
  }
}

function listenError(error: unknown, hostname: string, port: number): unknown {
  if (!(error instanceof Error)) return error;
  const where = `Cannot listen for HTTP on ${hostname}:${port}`;
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new ListenError(
        `${where}: the address is in use; stop the other program or set --web-port`,
      );
    case "EADDRNOTAVAIL":
    case "EINVAL": // what Deno makes of an address of another machine
      return new ListenError(`${where}: this machine has no such address; set --web-hostname`);
    case "EACCES":
      return new ListenError(
        `${where}: the system does not allow it; set --web-port to 1024 or above`,
      );
    default:
      return error;
  }
}
