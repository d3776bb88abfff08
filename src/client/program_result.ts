/** The JSON with which a training program answers, read strictly. */

import { type EvaluateResult, TrainerError } from "./trainer.ts";

/**
 * Reads `{"samples": 1000, "metrics": {"loss": 0.3}}`; either may be left out, and so may the whole.
 *
 * @param declared What Hello says: the most that a result may claim, and what it means to leave it out.
 * @throws {TrainerError}
 */
export function readResult(result: unknown, declared: number): EvaluateResult {
  if (result === undefined) return { samples: declared, metrics: {} };
  if (!isRecord(result)) throw new TrainerError("The trainer's result is not a JSON object");
  const { samples = declared, metrics = {} } = result;
  if (!isCount(samples)) {
    throw new TrainerError(`The trainer's result has ${shown(samples)} samples, which is no count`);
  }
  if (samples > declared) {
    throw new TrainerError(
      `The trainer's result claims ${samples} samples, but the client declared ${declared}`,
    );
  }
  if (!isRecord(metrics)) throw new TrainerError("The trainer's metrics are not a JSON object");
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(metrics)) {
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw new TrainerError(`The trainer's metric ${name} is ${shown(value)}, which is no number`);
    }
    numbers[name] = value;
  }
  return { samples, metrics: numbers };
}

/** The answer to a task of kind `count`. @throws {TrainerError} */
export function readCount(result: unknown): number {
  if (isRecord(result) && isCount(result.samples)) return result.samples;
  throw new TrainerError("The trainer does not say how many samples it has");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Hello carries it as uint32. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 1 && value as number < 2 ** 32;
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 40);
}
