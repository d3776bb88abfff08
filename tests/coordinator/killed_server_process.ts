/** A server in a process of its own, which may be killed and started again on the same state. */

import assert from "node:assert/strict";
import type { Outcome } from "../../src/coordinator/options.ts";
import { TextLineStream } from "../../src/demo/lines.ts";
import type { KilledServerSpec } from "./killed_server.ts";

const program = new URL("./killed_server.ts", import.meta.url).pathname;

interface Listening {
  readonly url: string;
  readonly runId: string;
}

export class KilledServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(spec: KilledServerSpec) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--no-check", "--quiet", program, JSON.stringify(spec)],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())[Symbol.asyncIterator]();
  }

  async #says<Line>(): Promise<Line> {
    const { value, done } = await this.#lines.next();
    assert.ok(!done, "the server has ended");
    return JSON.parse(value);
  }

  listening(): Promise<Listening> {
    return this.#says();
  }

  outcome(): Promise<Outcome> {
    return this.#says();
  }

  async ended(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    while (!(await this.#lines.next()).done);
    return status;
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
