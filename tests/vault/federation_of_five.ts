/** Five clients and a vault: what a run asks of a vault, one call at a time. */

import type { Durability } from "../../src/vault/durability.ts";
import { STRATEGIES, type StrategyEntry, type StrategyName } from "../../src/strategies/mod.ts";
import { type Opened, type Part, type PartOutcome, Vault } from "../../src/vault/vault.ts";
import { cut } from "../../src/weights/parts.ts";
import { encodeSafetensors } from "../../src/weights/safetensors.ts";
import { floats, named } from "../weights/sample_tensors.ts";
import type { Tensor } from "../../src/weights/tensors.ts";

export const ROUNDS = 3;
export const ENDING = { code: "rounds", sentence: "the rounds are done" } as const;
export const CLIENTS = ["ann", "Bob", "carol", "dan", "eve"] as const;
const SAMPLES = [7, 100, 31, 64, 1];

export const assigned = (round: number) =>
  CLIENTS.map((client, index) => ({
    client,
    taskId: 10 * round + 2 * index,
    samples: SAMPLES[index] ?? 1,
  }));

/** Two float tensors and one that is carried. */
export function model(weights: readonly number[], steps: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(BigInt64Array.of(BigInt(steps)).buffer);
  const counter: Tensor = { name: "steps", dtype: "I64", shape: [], bytes };
  return encodeSafetensors(
    named(floats("weight", weights), floats("bias", weights.slice(0, 2)), counter),
  );
}

export const initial = () => model([0.1, -0.2, 0.3, 1e-6], 0);

/** What a client trains in a round: awkward values, the same at each call. */
export function updateOf(client: string, round: number): Uint8Array<ArrayBuffer> {
  const index = CLIENTS.indexOf(client as typeof CLIENTS[number]) + 1;
  const values = [1, 2, 3, 4].map((at) => Math.sin(index * 12.9898 * at + round) * index / at);
  return model(values, 100 * round + index);
}

export function openVault(
  stateDirectory: string | undefined,
  {
    strategy = "fedavg" as StrategyName,
    name = "default",
    keepModels = 2,
    durability = "process" as Durability,
    keepRounds = 1000,
    stateMaxBytes = undefined as number | undefined,
  } = {},
): Vault {
  const entry: StrategyEntry = STRATEGIES[strategy];
  return new Vault({
    stateDirectory,
    name,
    strategy: entry.create({}),
    keepModels,
    durability,
    keepRounds,
    stateMaxBytes,
  });
}

/** The parts of one client's update. */
export function partsOf(
  client: string,
  round: number,
  { partBytes = 150, uploadId = "00", bytes = updateOf(client, round) } = {},
): Part[] {
  const task = assigned(round).find((each) => each.client === client);
  if (task === undefined) throw new RangeError(`${client} has no task`);
  const parts: Part[] = [];
  for (let offset = 0; offset < bytes.length; offset += partBytes) {
    parts.push({
      client,
      taskId: task.taskId,
      round,
      uploadId,
      kind: "weights",
      samples: task.samples,
      metrics: { loss: 1 / task.samples },
      totalBytes: bytes.length,
      offset,
      // The vault is given a buffer of its own, as from a Worker.
      bytes: cut(bytes, offset, partBytes).slice(),
    });
  }
  return parts;
}

export function send(vault: Vault, parts: readonly Part[]): PartOutcome {
  let outcome: PartOutcome = { kind: "stale", nextOffset: 0 };
  for (const part of parts) outcome = vault.part(part);
  return outcome;
}

/**
 * Everything that is left of a run of `ROUNDS` rounds, as a coordinator and its clients do it. Yields
 * after each call, so that the process can be said to end there.
 */
export function* train(vault: Vault, opened: Opened): Generator<string> {
  let { open } = opened;
  for (let round = opened.closedRounds + 1; round <= ROUNDS; round++) {
    if (open === undefined) {
      vault.begin(round, assigned(round));
      yield `begin ${round}`;
    }
    for (const client of CLIENTS) {
      if (open?.answered.includes(client)) continue;
      for (const part of partsOf(client, round)) {
        const { kind } = vault.part(part);
        yield `${kind} ${client} ${round}`;
      }
    }
    open = undefined;
    vault.close(round);
    yield `close ${round}`;
    vault.save(round, 1);
    yield `save ${round}`;
  }
}

export function finish(vault: Vault, steps: Generator<string>): void {
  while (!steps.next().done);
  vault.finish(ROUNDS, ENDING);
  vault.end();
}
