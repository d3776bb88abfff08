/** A client as a process of its own: this very program again, its log read line by line. */

import { TextLineStream } from "./lines.ts";

export interface ClientSpec {
  readonly wire: string;
  /** The verb and what follows it; it must make the process write its log as JSON. */
  readonly args: readonly string[];
  /** Gets each line of its log. */
  readonly hear?: (line: Line) => void;
}

/** One line of its log. */
export type Line = Readonly<Record<string, unknown>> & { readonly message: string };

/** Lines kept to explain a client that failed. */
const KEPT_LINES = 5;

export class ClientProcess implements AsyncDisposable {
  readonly wire: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #newest: string[] = [];

  constructor({ wire, args, hear = () => {} }: ClientSpec) {
    this.wire = wire;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...programArgs(), ...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#reading = this.#read(hear);
  }

  get pid(): number {
    return this.#child.pid;
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

  async #read(hear: (line: Line) => void): Promise<void> {
    const lines = this.#child.stderr.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const text of lines) {
      const line = parse(text);
      this.#newest.push(line === undefined ? text : sentence(line));
      if (this.#newest.length > KEPT_LINES) this.#newest.shift();
      if (line !== undefined) hear(line);
    }
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

function sentence({ message, reason, detail }: Line): string {
  const why = reason ?? detail;
  return why === undefined ? message : `${message}: ${String(why)}`;
}
