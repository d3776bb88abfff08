/**
 * Some clients of the trial in one process, as `Members` starts it: edge clients of the product whose
 * update is 1 at one place and 0 elsewhere. Writes a line of JSON for each thing that happens.
 */

import { writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../src/client/random.ts";
import { Session } from "../../src/client/session.ts";
import type { EvaluateResult, Trainer, TrainResult } from "../../src/client/trainer.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { readAddress } from "../../src/protocols/mod.ts";
import { weights } from "../support/federation.ts";
import type { MembersSpec } from "./members.ts";

const SAMPLES = 100;
const MOST_TRAINING_MS = 150;

const { members, values, seed }: MembersSpec = JSON.parse(Deno.args[0] ?? "");
const random = Random.seeded(seed);

class OneHot implements Trainer {
  readonly samples = SAMPLES;
  readonly #weights: Uint8Array<ArrayBuffer>;

  constructor(index: number) {
    const update = new Array<number>(values).fill(0);
    update[index] = 1;
    this.#weights = weights(update);
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async train(): Promise<TrainResult> {
    await delay(random.next() % MOST_TRAINING_MS);
    return { weights: this.#weights, samples: SAMPLES, metrics: {} };
  }

  evaluate(): Promise<EvaluateResult> {
    return Promise.resolve({ samples: SAMPLES, metrics: {} });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function tell(client: string, what: string, fields: Readonly<Record<string, unknown>> = {}): void {
  writeSync(1, JSON.stringify({ client, what, ...fields }) + "\n");
}

await Promise.all(members.map(async ({ id, urls, index }) => {
  const session = new Session({
    clientId: id,
    urls: urls.map(readAddress),
    trainer: new OneHot(index),
    software: "tributary chaos trial",
    signal: new AbortController().signal,
    observe: (event) => {
      if (event.kind === "uploaded") {
        tell(id, "uploaded", { round: event.round, verdict: Verdict[event.verdict] });
      } else if (event.kind === "lost") tell(id, "lost", { reason: event.reason });
    },
    backoff: { firstMs: 50, mostMs: 500 },
  });
  try {
    const { round } = await session.run();
    tell(id, "finished", { round });
  } catch (error) {
    tell(id, "failed", { reason: error instanceof Error ? error.message : String(error) });
  }
}));
