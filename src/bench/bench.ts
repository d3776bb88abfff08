/** The whole bench: all wires in one round, each wire alone, and the floor of the machine. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import type { Config } from "../config.ts";
import type { Events } from "../events.ts";
import { implausible, type RoundFigures } from "./figures.ts";
import { type Floor, measureFloor } from "./floor.ts";
import { measureRound } from "./measured_round.ts";
import { benchModel } from "./model.ts";

/** The first warms everything up, the second is measured. */
export const ROUNDS = 2;

export interface BenchSpec {
  /** Of a federation with all the wires. */
  readonly config: Config;
  readonly weightBytes: number;
  readonly events: Events;
  readonly signal: AbortSignal;
  /** Told before each step: one for all wires together, one for each, one for the floor. */
  readonly step: (done: number, what: string) => void;
}

export interface BenchFigures {
  readonly weightBytes: number;
  readonly together: RoundFigures;
  /** By wire. */
  readonly alone: ReadonlyMap<string, RoundFigures>;
  readonly floor: Floor;
  /** Resident memory of the server's process at its most, while all wires worked together. */
  readonly peakRssBytes: number | undefined;
  /** What makes the figures worthless, a sentence each. */
  readonly mistakes: readonly string[];
}

/** @throws {Error} when a run breaks off; the sentence says why. */
export async function runBench(spec: BenchSpec): Promise<BenchFigures> {
  const { config, weightBytes, events, signal, step } = spec;
  const wires = config.protocols;
  await using workshop = await temporaryDirectory();
  const model = join(workshop.path, "model.safetensors");
  const { length: modelBytes, sha256 } = await writeModel(model, weightBytes);
  const mistakes: string[] = [];
  const measure = async (protocols: Config["protocols"], what: string): Promise<RoundFigures> => {
    const training = { ...config.training, rounds: ROUNDS, minClients: protocols.length, model };
    const { outcome, ...figures } = await measureRound({
      config: { ...config, protocols, training },
      events,
      signal,
    });
    if (outcome.sha256 !== sha256) mistakes.push(`${what}: the model came back with other bytes`);
    if (outcome.confirmed.length < protocols.length) {
      mistakes.push(`${what}: ${outcome.confirmed.length} of ${protocols.length} clients hold it`);
    }
    mistakes.push(...implausible(figures, weightBytes).map((sentence) => `${what}: ${sentence}`));
    return figures;
  };
  // All together comes first: what follows would leave its mark on the memory.
  step(0, "all wires in one round");
  const together = await measure(wires, "all wires in one round");
  const peakRssBytes = peakMemory();
  const alone = new Map<string, RoundFigures>();
  for (const wire of wires) {
    step(1 + alone.size, `${wire} alone`);
    alone.set(wire, await measure([wire], `${wire} alone`));
  }
  step(1 + wires.length, "memory and plain TCP");
  const floor = await measureFloor(modelBytes);
  return { weightBytes, together, alone, floor, peakRssBytes, mistakes };
}

/** Of this process so far; undefined in a Deno that does not know, such as 2.6. */
function peakMemory(): number | undefined {
  if (!("resourceUsage" in process)) return undefined;
  return process.resourceUsage().maxRSS * 1024; // it counts KiB
}

/** In a function of its own, so that the model is gone from this process's memory before it serves. */
async function writeModel(
  path: string,
  weightBytes: number,
): Promise<{ length: number; sha256: string }> {
  const bytes = benchModel(weightBytes);
  await Deno.writeFile(path, bytes);
  return { length: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "tributary-bench-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
