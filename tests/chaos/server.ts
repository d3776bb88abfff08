/** The server of the trial as a process that can be killed and started again. */

import { TextLineStream } from "../../src/demo/lines.ts";
import type { Awaitable } from "../support/awaitable.ts";
import { Standstill } from "./standstill.ts";

export interface ServerSpec {
  readonly flags: Readonly<Record<string, string | boolean>>;
  readonly seed: number;
  readonly turbulent: boolean;
}

export type ServerLine = Readonly<Record<string, unknown>> & {
  readonly message: string;
  /** Which of the processes said it, from 1. */
  readonly life: number;
};

export class Server implements AsyncDisposable {
  readonly log: Awaitable<ServerLine>;
  readonly #spec: ServerSpec;
  #child: Deno.ChildProcess | undefined;
  #commands: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #reading: Promise<void> = Promise.resolve();
  life = 0;

  constructor(spec: ServerSpec, log: Awaitable<ServerLine>) {
    this.#spec = spec;
    this.log = log;
  }

  /** Resolves with the addresses once clients can reach all of them, and how long it took. */
  async start(): Promise<{ readonly urls: readonly string[]; readonly tookMs: number }> {
    const life = ++this.life;
    const begunMs = performance.now();
    const from = this.log.all.length;
    const program = new URL("./server_program.ts", import.meta.url).href;
    const spec: ServerSpec = { ...this.#spec, seed: this.#spec.seed + life };
    const child = this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "--no-check", program, JSON.stringify(spec)],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#commands = child.stdin.getWriter();
    this.#commands.closed.catch(() => {}); // killed
    this.#reading = this.#read(child, life);
    const line = await this.log.find(
      ({ message }) => message === "listening" || message === "ended",
      from,
    );
    if (line.message === "ended") throw new Standstill(`the server did not start: ${line.reason}`);
    return {
      urls: line.urls as readonly string[],
      tookMs: performance.now() - begunMs,
    };
  }

  async #read(child: Deno.ChildProcess, life: number): Promise<void> {
    const complaints = new Response(child.stderr).text();
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      // The last line of one that is killed may be cut.
      if (line.endsWith("}")) this.log.push({ ...JSON.parse(line), life });
    }
    const { code, signal } = await child.status;
    this.log.push({
      message: "ended",
      life,
      code,
      signal,
      reason: `${code} ${signal} ${(await complaints).slice(0, 2000)}`,
    });
  }

  crash(wire: string): void {
    this.#say(`crash ${wire}`);
  }

  #say(command: string): void {
    this.#commands?.write(new TextEncoder().encode(command + "\n")).catch(() => {}); // killed
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    try {
      this.#child?.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
    await this.#commands?.abort().catch(() => {}); // nobody listens any more
    await this.#reading;
  }

  /** Lets it say goodbye. Resolves with its exit code. */
  async stop(): Promise<number | undefined> {
    this.#say("stop");
    await this.#reading;
    return (await this.#child?.status)?.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
