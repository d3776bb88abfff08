/** A federation's client as a process of its own. */

import { TextLineStream } from "../../src/demo/lines.ts";
import { Awaitable } from "../support/awaitable.ts";

export class ClientProcess implements AsyncDisposable {
  readonly lines = new Awaitable<string>();
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor(program: string, options: { readonly args: string[]; readonly cwd?: string }) {
    const child = new Deno.Command(program, {
      ...options,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#reading = Promise.all([this.#read(child.stdout), this.#read(child.stderr)])
      .then(() => this.lines.end(`the client wrote:\n${this.lines.all.join("\n")}`));
  }

  async #read(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const lines = output.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of lines) this.lines.push(line);
  }

  /** Resolves with the first line that begins so. */
  async says(beginning: string): Promise<string> {
    return await this.lines.find((line) => line.startsWith(beginning));
  }

  /** Ends it as nothing it can prepare for. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended();
  }

  /** Its exit code, once all it wrote is read. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
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
