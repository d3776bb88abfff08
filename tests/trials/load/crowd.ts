/** Processes of many clients each, and what is heard of them. */

import { TextLineStream } from "../../../src/demo/lines.ts";
import type { Awaitable } from "../../support/awaitable.ts";

export interface CrowdSpec {
  readonly clients: readonly { readonly id: string; readonly url: string }[];
  /** Of the model without its header. */
  readonly weightBytes: number;
}

/** Something that happened to a client: a SessionEvent's kind and fields, or how it ended. */
export type Happening = Readonly<Record<string, unknown>> & {
  readonly client: string;
  readonly what: string;
};

export class Crowd implements AsyncDisposable {
  readonly happenings: Awaitable<Happening>;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  /** @param happenings Gets what happens to these clients, beside others. */
  constructor(spec: CrowdSpec, happenings: Awaitable<Happening>) {
    this.happenings = happenings;
    const program = new URL("./crowd_process.ts", import.meta.url).href;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "--no-check", program, JSON.stringify(spec)],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) this.happenings.push(JSON.parse(line));
    const { code } = await this.#child.status;
    if (code !== 0) this.happenings.end(`a crowd's process ended with code ${code}`);
  }

  /** Resolves when every client has ended, well or not. */
  async ended(): Promise<void> {
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
    await this.#reading;
  }
}
