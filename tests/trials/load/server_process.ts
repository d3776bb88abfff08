/** `tributary serve` as a process of its own, so that its memory is nobody else's. */

import { TextLineStream } from "../../../src/demo/lines.ts";
import type { Status } from "../../../src/web/status.ts";
import { Awaitable } from "../../support/awaitable.ts";

export type LogEntry = Readonly<Record<string, unknown>> & { readonly message: string };

export class ServerProcess implements AsyncDisposable {
  readonly log = new Awaitable<LogEntry>();
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  constructor(flags: readonly string[]) {
    const main = new URL("../../../main.ts", import.meta.url).href;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--allow-all", "--no-check", main, "serve"],
        ...["--log-format", "json", "--log-level", "debug", ...flags],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const lines = this.#child.stderr.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      if (line.startsWith("{")) this.log.push(JSON.parse(line));
      else this.log.push({ message: line });
    }
    const newest = this.log.all.slice(-3).map(({ message }) => message).join("; ");
    this.log.end(`the server's process has ended: ${newest}`);
  }

  /** The addresses of all wires, once they are up. */
  async addresses(wires: readonly string[]): Promise<Map<string, string>> {
    const urls = new Map<string, string>();
    for (const wire of wires) {
      const up = await this.log.find((entry) => entry.message === "wire up" && entry.wire === wire);
      urls.set(wire, String(up.url));
    }
    return urls;
  }

  count(message: string): number {
    return this.log.all.filter((entry) => entry.message === message).length;
  }

  /** Resident memory now and at its most since `forgetPeak`, in bytes. */
  async memory(): Promise<{ readonly nowBytes: number; readonly peakBytes: number }> {
    const status = await Deno.readTextFile(`/proc/${this.#child.pid}/status`);
    const kibibytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
    return { nowBytes: 1024 * kibibytes("VmRSS"), peakBytes: 1024 * kibibytes("VmHWM") };
  }

  /** proc(5), clear_refs: 5 makes the peak what is resident now. */
  async forgetPeak(): Promise<void> {
    await Deno.writeTextFile(`/proc/${this.#child.pid}/clear_refs`, "5");
  }

  async status(webPort: number): Promise<Status> {
    const response = await fetch(`http://127.0.0.1:${webPort}/status`);
    return await response.json();
  }

  async ended(): Promise<number> {
    await this.#reading;
    return (await this.#child.status).code;
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
