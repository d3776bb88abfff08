/** The demo's federation: the server here, its clients as processes, and the proof at the end. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Config } from "../config.ts";
import type { Outcome } from "../coordinator/options.ts";
import type { Events } from "../events.ts";
import type { Metrics } from "../metrics.ts";
import { FederationServer, type ServerParts } from "../server/federation_server.ts";
import { ClientProcess } from "./client_process.ts";

/** One round as people see it. */
export interface DemoRound {
  readonly round: number;
  /** Clients whose updates are in the model. */
  readonly clients: number;
  readonly selected: number;
  /** Of the global model, on the test images. */
  readonly loss: number;
  readonly accuracy: number;
  readonly seconds: number;
  /** Bytes on the wires since the round before. */
  readonly bytes: Readonly<Record<string, { readonly up: number; readonly down: number }>>;
}

export interface DemoSpec {
  readonly config: Config;
  readonly events: Events;
  readonly metrics: Metrics;
  readonly missing: Readonly<Record<string, string>>;
  /** Where the final models are written: `model.safetensors` and `<wire>.safetensors`. */
  readonly directory: string;
  /** How MNIST is shared out among the clients. */
  readonly partition: { readonly alpha: number; readonly seed: number };
  readonly signal: AbortSignal;
  /** Instead of the product's Workers: for trials that make one fail. */
  readonly wires?: ServerParts["wires"];
  readonly watch: DemoWatch;
}

export interface DemoWatch {
  /** Every client has said what it holds. */
  shared(samplesByClass: ReadonlyMap<string, readonly number[]>): void;
  roundStarted(round: number): void;
  roundDone(round: DemoRound): void;
  /** The federation is up; clients are processes with these ids. */
  started?(clients: ReadonlyMap<string, ClientProcess>): void;
}

export interface DemoResult {
  readonly outcome: Outcome;
  readonly rounds: readonly DemoRound[];
  /** By wire. */
  readonly exitCodes: ReadonlyMap<string, number>;
  readonly clientSha256: ReadonlyMap<string, string>;
  /** Of the file the server saved. */
  readonly modelSha256: string;
  readonly modelPath: string;
  readonly traffic: Readonly<Record<string, { readonly up: number; readonly down: number }>>;
  readonly seconds: number;
}

/**
 * Runs a federation with one client on each configured wire.
 * @throws {Error} when a client ends before the run does; the sentence says which and why.
 */
export async function runDemo(spec: DemoSpec): Promise<DemoResult> {
  const { config, metrics, missing, directory, partition, signal, watch, wires } = spec;
  const begunMs = performance.now();
  const rounds = new Rounds(watch);
  await using server = await FederationServer.open({
    config,
    events: rounds.listenTo(spec.events),
    metrics,
    missing,
    ...(wires === undefined ? {} : { wires }),
  });
  rounds.measure(async () => (await server.status()).wires);
  await using stack = new AsyncDisposableStack();
  const { alpha, seed } = partition;
  const clients = new Map(server.addresses.map(({ wire, url }, index) => {
    const data = `mnist:share=${index + 1}/${server.addresses.length},alpha=${alpha},seed=${seed}`;
    const out = join(directory, `${wire}.safetensors`);
    return [wire, stack.use(new ClientProcess({ wire, url, data, out }))];
  }));
  watch.started?.(clients);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const failed = earlyEnd(clients.values());
    const outcome = await Promise.race([
      Promise.all([server.finished, share(clients, watch)]).then(([outcome]) => outcome),
      failed,
      aborted.promise,
    ]);
    const exitCodes = new Map<string, number>();
    for (const [wire, client] of clients) exitCodes.set(wire, (await client.ended()).code);
    await rounds.settled();
    const modelPath = join(directory, "model.safetensors");
    return {
      outcome,
      rounds: rounds.all,
      exitCodes,
      clientSha256: await hashes(clients.values()),
      modelSha256: await sha256Of(modelPath),
      modelPath,
      traffic: rounds.traffic,
      seconds: (performance.now() - begunMs) / 1000,
    };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function share(clients: ReadonlyMap<string, ClientProcess>, watch: DemoWatch): Promise<void> {
  const samples = [...clients].map(async ([wire, client]) =>
    [wire, await client.samplesByClass()] as const
  );
  watch.shared(new Map(await Promise.all(samples)));
}

/** Rejects when a client ends with an error; one that ends well has heard Finish. */
async function earlyEnd(clients: Iterable<ClientProcess>): Promise<never> {
  const never = Promise.withResolvers<never>();
  await Promise.all([...clients].map(async (client) => {
    const { code, newest } = await client.ended();
    if (code === 0) return;
    throw new Error(`The ${client.wire} client ended with code ${code}: ${newest.join("; ")}`);
  }));
  return await never.promise;
}

async function hashes(clients: Iterable<ClientProcess>): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const { wire, out } of clients) all.set(wire, await sha256Of(out));
  return all;
}

/** Of a file's bytes; empty where there is none. */
async function sha256Of(path: string): Promise<string> {
  try {
    return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

type WireBytes = { readonly wire: string; readonly up_bytes: number; readonly down_bytes: number };

/** Puts the rounds together from the server's events, with the bytes that each one took. */
class Rounds {
  readonly #watch: DemoWatch;
  readonly all: DemoRound[] = [];
  readonly #closed = new Map<number, { clients: number; selected: number; seconds: number }>();
  #wires: () => Promise<readonly WireBytes[]> = () => Promise.resolve([]);
  #before = new Map<string, { up: number; down: number }>();
  #adding: Promise<void> = Promise.resolve();

  constructor(watch: DemoWatch) {
    this.#watch = watch;
  }

  /** Bytes on the wires so far. */
  get traffic(): Record<string, { up: number; down: number }> {
    return Object.fromEntries(this.#before);
  }

  measure(wires: () => Promise<readonly WireBytes[]>): void {
    this.#wires = wires;
  }

  listenTo(events: Events): Events {
    return {
      ...events,
      roundStarted: (facts) => {
        events.roundStarted(facts);
        this.#watch.roundStarted(facts.round);
      },
      roundClosed: (facts) => {
        events.roundClosed(facts);
        this.#closed.set(facts.round, facts);
      },
      evaluated: (facts) => {
        events.evaluated(facts);
        const { round, loss = NaN, accuracy = NaN } = facts;
        this.#adding = this.#adding.then(() => this.#add(round, { loss, accuracy }));
      },
    };
  }

  async #add(round: number, metrics: { loss: number; accuracy: number }): Promise<void> {
    const closed = this.#closed.get(round);
    if (closed === undefined) return;
    const { clients, selected, seconds } = closed;
    const done = { round, clients, selected, seconds, ...metrics, bytes: await this.#bytes() };
    this.all.push(done);
    this.#watch.roundDone(done);
  }

  async #bytes(): Promise<DemoRound["bytes"]> {
    const since: Record<string, { up: number; down: number }> = {};
    for (const { wire, up_bytes: up, down_bytes: down } of await this.#wires()) {
      const before = this.#before.get(wire) ?? { up: 0, down: 0 };
      since[wire] = { up: up - before.up, down: down - before.down };
      this.#before.set(wire, { up, down });
    }
    return since;
  }

  /** Resolves when the newest round is shown, and the bytes since are counted. */
  async settled(): Promise<void> {
    await this.#adding;
    await this.#bytes();
  }
}
