/** A client of the demo: `tributary join` as a process of its own, its log read line by line. */

import { TextLineStream } from "./lines.ts";

export interface ClientSpec {
  readonly wire: string;
  readonly url: string;
  /** As `join --data` takes it. */
  readonly data: string;
  /** Where it writes the final model. */
  readonly out: string;
}

/** One line of its log. */
export type Line = Readonly<Record<string, unknown>> & { readonly message: string };

/** Lines kept to explain a client that failed. */
const KEPT_LINES = 5;

export class ClientProcess implements AsyncDisposable {
  readonly wire: string;
  readonly out: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #joining = Promise.withResolvers<Line>();
  readonly #newest: string[] = [];

  constructor({ wire, url, data, out }: ClientSpec) {
    this.wire = wire;
    this.out = out;
    const args = ["join", url, "--data", data, "--id", wire, "--out", out, "--log-format", "json"];
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...programArgs(), ...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#joining.promise.catch(() => {}); // who wants to know awaits it
    this.#reading = this.#read();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Training samples of each class: the first thing a client says. */
  async samplesByClass(): Promise<number[]> {
    const { samples_by_class } = await this.#joining.promise;
    return Array.isArray(samples_by_class) ? samples_by_class.map(Number) : [];
  }

  /** Resolves when the process has ended and all it wrote is read. */
  async ended(): Promise<{ readonly code: number; readonly newest: readonly string[] }> {
    const { code } = await this.#child.status;
    await this.#reading;
    return { code, newest: this.#newest };
  }

  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It ended by itself meanwhile.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #read(): Promise<void> {
    const lines = this.#child.stderr.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const text of lines) {
      const line = parse(text);
      if (line?.message === "joining") this.#joining.resolve(line);
      this.#newest.push(line === undefined ? text : line.message);
      if (this.#newest.length > KEPT_LINES) this.#newest.shift();
    }
    this.#joining.reject(new Error(`The ${this.wire} client ended: ${this.#newest.join("; ")}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGTERM");
    await this.ended();
  }
}

/** How this very program is started again: from its sources, or as an executable. */
function programArgs(): string[] {
  if (Deno.build.standalone) return [];
  return ["run", "--quiet", "--allow-all", new URL("../../main.ts", import.meta.url).href];
}

function parse(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    const is = typeof line === "object" && line !== null && "message" in line;
    return is ? line as Line : undefined;
  } catch {
    return undefined; // not a log line: an error in plain words
  }
}
