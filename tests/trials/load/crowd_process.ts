/**
 * Many clients in one process, as `Crowd` starts it. They learn nothing: each update is the same
 * bytes, made once. Writes one line of JSON for each thing that happens to a client.
 */

import { writeSync } from "node:fs";
import { benchModel } from "../../../src/bench/model.ts";
import { EchoTrainer } from "../../../src/bench/echo_trainer.ts";
import type { TrainResult } from "../../../src/client/trainer.ts";
import { Session, type SessionEvent } from "../../../src/client/session.ts";
import { readAddress } from "../../../src/protocols/mod.ts";
import type { CrowdSpec } from "./crowd.ts";

/** Happens to every part and would drown the rest. */
const UNTOLD: ReadonlySet<SessionEvent["kind"]> = new Set(["modelPart", "training"]);

/** Sends the same update whatever model it gets. */
class SameUpdate extends EchoTrainer {
  readonly #weights: Uint8Array<ArrayBuffer>;

  constructor(weights: Uint8Array<ArrayBuffer>) {
    super();
    this.#weights = weights;
  }

  override train(): Promise<TrainResult> {
    return Promise.resolve({ weights: this.#weights, samples: 1, metrics: {} });
  }
}

function tell(client: string, what: string, fields: Readonly<Record<string, unknown>> = {}): void {
  writeSync(1, JSON.stringify({ client, what, ...fields }) + "\n");
}

async function takePart(id: string, url: string, weights: Uint8Array<ArrayBuffer>): Promise<void> {
  await using trainer = new SameUpdate(weights);
  const session = new Session({
    clientId: id,
    urls: [readAddress(url)],
    trainer,
    software: "tributary load trial",
    signal: new AbortController().signal,
    observe: ({ kind, ...fields }) => {
      if (!UNTOLD.has(kind)) tell(id, kind, fields);
    },
  });
  try {
    const { round } = await session.run();
    tell(id, "finished", { round });
  } catch (error) {
    tell(id, "failed", { reason: error instanceof Error ? error.message : String(error) });
  }
}

const { clients, weightBytes }: CrowdSpec = JSON.parse(Deno.args[0] ?? "");
const weights = benchModel(weightBytes);
await Promise.all(clients.map(({ id, url }) => takePart(id, url, weights)));
