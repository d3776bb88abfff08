/** The demo's federation: the server here, its clients as processes, and the proof at the end. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Config } from "../config.ts";
import type { Outcome } from "../coordinator/options.ts";
import type { Events } from "../events.ts";
import type { Metrics } from "../metrics.ts";
import type { Line } from "./client_process.ts";
import { LocalFederation, type Seat } from "./local_federation.ts";

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
  readonly watch: DemoWatch;
}

export interface DemoWatch {
  /** Every client has said what it holds. */
  shared(samplesByClass: ReadonlyMap<string, readonly number[]>): void;
  roundStarted(round: number): void;
  roundDone(round: DemoRound): void;
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
 * @throws {ClientFailed} when a client ends before the run does.
 */
export async function runDemo(spec: DemoSpec): Promise<DemoResult> {
  const { config, metrics, missing, directory, signal, watch } = spec;
  const begunMs = performance.now();
  const rounds = new Rounds(watch);
  const shares = new Shares(config.protocols, watch);
  await using federation = await LocalFederation.open({
    parts: { config, events: rounds.listenTo(spec.events), metrics, missing },
    client: (seat) => ({
      args: joinArgs(seat, spec),
      hear: (line) => shares.hear(seat.wire, line),
    }),
    signal,
  });
  rounds.measure(async () => (await federation.server.status()).wires);
  const outcome = await federation.finished();
  const exitCodes = await federation.ended();
  await rounds.settled();
  const modelPath = join(directory, "model.safetensors");
  return {
    outcome,
    rounds: rounds.all,
    exitCodes,
    clientSha256: await hashes(directory, exitCodes.keys()),
    modelSha256: await sha256Of(modelPath),
    modelPath,
    traffic: rounds.traffic,
    seconds: (performance.now() - begunMs) / 1000,
  };
}

function joinArgs({ wire, url, index, count }: Seat, { directory, partition }: DemoSpec): string[] {
  const data = `mnist:share=${index + 1}/${count},alpha=${partition.alpha},seed=${partition.seed}`;
  const out = clientModel(directory, wire);
  return [
    "join",
    url,
    "--once",
    "--data",
    data,
    "--id",
    wire,
    "--out",
    out,
    "--log-format",
    "json",
  ];
}

/** Where the client of a wire writes the final model. */
function clientModel(directory: string, wire: string): string {
  return join(directory, `${wire}.safetensors`);
}

/** Tells once what all clients hold: the first thing that each of them says. */
class Shares {
  readonly #samplesByClass = new Map<string, readonly number[]>();
  readonly #wires: readonly string[];
  readonly #watch: DemoWatch;

  constructor(wires: readonly string[], watch: DemoWatch) {
    this.#wires = wires;
    this.#watch = watch;
  }

  hear(wire: string, { message, samples_by_class: samples }: Line): void {
    if (message !== "joining" || !Array.isArray(samples)) return;
    this.#samplesByClass.set(wire, samples.map(Number));
    if (this.#samplesByClass.size < this.#wires.length) return;
    const inOrder = this.#wires.map((each) =>
      [each, this.#samplesByClass.get(each) ?? []] as const
    );
    this.#watch.shared(new Map(inOrder));
  }
}

async function hashes(directory: string, wires: Iterable<string>): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const wire of wires) all.set(wire, await sha256Of(clientModel(directory, wire)));
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
