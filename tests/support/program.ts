/** The program as a process of its own, its lines read as they come. */

import { TextLineStream } from "../../src/demo/lines.ts";
import { Awaitable } from "./awaitable.ts";

const main = new URL("../../main.ts", import.meta.url).pathname;

/** What is started: a file, and what comes before the program's own arguments. */
export interface Startable {
  readonly path: string;
  readonly args: readonly string[];
  /** Instead of this process's environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

const sources: Startable = {
  path: Deno.execPath(),
  args: ["run", "--allow-all", "--no-check", "--quiet", main],
};

/** @param command Starts the program in other surroundings: `setpriv ...`. */
export function sourcesThrough(command: readonly string[]): Startable {
  const [path = "", ...args] = [...command, sources.path, ...sources.args];
  return { path, args };
}

export class Program implements AsyncDisposable {
  readonly stdout = new Awaitable<string>();
  readonly stderr = new Awaitable<string>();
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor(args: readonly string[], cwd?: string, program: Startable = sources) {
    const { path, args: first, environment } = program;
    this.#child = new Deno.Command(path, {
      args: [...first, ...args],
      clearEnv: environment !== undefined,
      env: { NO_COLOR: "1", ...environment },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
    this.#reading = Promise.all([
      read(this.#child.stdout, this.stdout),
      read(this.#child.stderr, this.stderr),
    ]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The first line of stdout that fits: what it captures. */
  async says(pattern: RegExp): Promise<string> {
    const line = await this.stdout.find((text) => pattern.test(text));
    return pattern.exec(line)?.[1] ?? line;
  }

  /** The first line of the log that fits. */
  async logs(pattern: RegExp): Promise<string> {
    return await this.stderr.find((text) => pattern.test(text));
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process has ended and all it wrote is read. */
  async ended(): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code } = await this.#child.status;
    await this.#reading;
    return { code, stdout: this.stdout.all.join("\n"), stderr: this.stderr.all.join("\n") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
    await this.ended();
  }
}

async function read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, into: Awaitable<string>) {
  const lines = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) into.push(line);
  into.end("the process has ended");
}
