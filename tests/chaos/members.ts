/** A process of clients that can be killed and started again. */

import { TextLineStream } from "../../src/demo/lines.ts";
import type { Awaitable } from "../support/awaitable.ts";

export interface MembersSpec {
  readonly members: readonly {
    readonly id: string;
    /** The ways to the server, tried in their order. */
    readonly urls: readonly string[];
    /** Where its update is 1. */
    readonly index: number;
  }[];
  /** The length of the model. */
  readonly values: number;
  readonly seed: number;
}

/** Something that happened to a client. */
export type Happening = Readonly<Record<string, unknown>> & {
  readonly client: string;
  readonly what: string;
};

export class Members implements AsyncDisposable {
  readonly #spec: MembersSpec;
  readonly #happenings: Awaitable<Happening>;
  #child: Deno.ChildProcess | undefined;
  #reading: Promise<void> = Promise.resolve();
  #lives = 0;

  constructor(spec: MembersSpec, happenings: Awaitable<Happening>) {
    this.#spec = spec;
    this.#happenings = happenings;
  }

  get names(): string {
    return this.#spec.members.map(({ id }) => id).join(" and ");
  }

  start(): void {
    const spec: MembersSpec = { ...this.#spec, seed: this.#spec.seed + ++this.#lives };
    const program = new URL("./members_program.ts", import.meta.url).href;
    const child = this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "--no-check", program, JSON.stringify(spec)],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = this.#read(child);
  }

  async #read(child: Deno.ChildProcess): Promise<void> {
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      // The last line of one that is killed may be cut.
      if (line.endsWith("}")) this.#happenings.push(JSON.parse(line));
    }
    const { signal, code } = await child.status;
    if (signal === "SIGKILL") return;
    this.#happenings.push({ client: this.names, what: "ended", reason: `${code} ${signal}` });
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    try {
      this.#child?.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
