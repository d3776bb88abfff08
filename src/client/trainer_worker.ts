/** The trainer's Worker: computes for seconds at a time without holding up the client's heartbeats. */

import { DatasetError } from "./datasets/dataset.ts";
import { Learner } from "./learner.ts";
import { TrainerError } from "./trainer.ts";
import type { TrainerReply, TrainerRequest } from "./trainer_calls.ts";

// The global scope of a Worker has both members; its type is that of the main thread.
const scope = globalThis as unknown as {
  postMessage(reply: TrainerReply, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<TrainerRequest>) => void) | null;
};

const learner = new Learner();
let last = Promise.resolve();

// One call at a time: they share the network.
scope.onmessage = ({ data: request }) => {
  last = last.then(() => answer(request));
};

async function answer(request: TrainerRequest): Promise<void> {
  const { id } = request;
  try {
    const result = await carryOut(request);
    if ("stop" in request && result === undefined) return;
    scope.postMessage({ kind: "result", id, result }, transfersOf(result));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    scope.postMessage({ kind: "rejected", id, reason, error: nameOf(error) }, []);
  }
}

async function carryOut(request: TrainerRequest): Promise<unknown> {
  switch (request.kind) {
    case "open":
      return await learner.open(request.data);
    case "prepare":
      return await learner.prepare(request.topology);
    case "initialise":
      return await learner.initialise(request.topology, request.seed);
    case "train":
      return await learner.train(request.model, request.task, {
        stopped: () => Atomics.load(request.stop, 0) === 1,
        progress: (progress) =>
          scope.postMessage({ kind: "progress", id: request.id, progress }, []),
      });
    case "evaluate":
      return learner.evaluate(request.model, () => Atomics.load(request.stop, 0) === 1);
    default:
      request satisfies never;
  }
}

function nameOf(error: unknown): Extract<TrainerReply, { kind: "rejected" }>["error"] {
  if (error instanceof DatasetError) return "DatasetError";
  return error instanceof TrainerError ? "TrainerError" : "Error";
}

/** Weights leave the Worker without a copy. */
function transfersOf(result: unknown): Transferable[] {
  if (result instanceof Uint8Array) return [result.buffer as ArrayBuffer];
  if (typeof result !== "object" || result === null || !("weights" in result)) return [];
  return transfersOf(result.weights);
}
