/** The trainer's Worker: computes for seconds at a time without holding up the client's heartbeats. */

import { DatasetError } from "./datasets/dataset.ts";
import { DutyCycle } from "./duty_cycle.ts";
import { Learner } from "./learner.ts";
import { Rest } from "./rest.ts";
import { TrainerError } from "./trainer.ts";
import type { TrainerCall, TrainerReply, TrainerRequest } from "./trainer_calls.ts";

/** So long it computes before it lets messages in. */
const TURN_MS = 50;

// The global scope of a Worker has both members; its type is that of the main thread.
const scope = globalThis as unknown as {
  postMessage(reply: TrainerReply, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<TrainerRequest>) => void) | null;
};

const learner = new Learner();
let last = Promise.resolve();
/** Calls that are waiting or under way; true for those that were given up. */
const stopped = new Map<number, boolean>();
let turnedMs = 0;
let duty = new DutyCycle(1);
const rest = new Rest();

// One call at a time: they share the network.
scope.onmessage = ({ data: request }) => {
  const { id } = request;
  if (request.kind === "stop") {
    if (stopped.has(id)) stopped.set(id, true);
    return rest.end(id);
  }
  stopped.set(id, false);
  last = last.then(() => answer(request)).finally(() => stopped.delete(id));
};

async function answer(call: TrainerCall): Promise<void> {
  const { id } = call;
  try {
    if (stopped.get(id)) return;
    duty.begin();
    const result = await carryOut(call);
    if (stopped.get(id)) return;
    scope.postMessage({ kind: "result", id, result }, transfersOf(result));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    scope.postMessage({ kind: "rejected", id, reason, error: nameOf(error) }, []);
  }
}

/**
 * Whether a call was given up: that is heard only when messages are let in now and then. Called
 * between two batches, and so the time to rest.
 */
async function isStopped(id: number): Promise<boolean> {
  const restMs = stopped.get(id) ? 0 : duty.restMs();
  if (restMs > 0) {
    await rest.take(id, restMs);
    duty.begin();
    turnedMs = performance.now();
  } else if (performance.now() - turnedMs > TURN_MS) {
    await new Promise((resolve) => setTimeout(resolve));
    turnedMs = performance.now();
  }
  return stopped.get(id) ?? true;
}

async function carryOut(request: TrainerCall): Promise<unknown> {
  switch (request.kind) {
    case "open":
      duty = new DutyCycle(request.cpuShare);
      return await learner.open(request.data);
    case "prepare":
      return await learner.prepare(request.topology);
    case "initialise":
      return await learner.initialise(request.topology, request.seed);
    case "train":
      return await learner.train(request.model, request.task, {
        stopped: () => isStopped(request.id),
        progress: (progress) =>
          scope.postMessage({ kind: "progress", id: request.id, progress }, []),
      });
    case "evaluate":
      return await learner.evaluate(request.model, () => isStopped(request.id));
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
