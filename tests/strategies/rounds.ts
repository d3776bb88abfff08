/** Rounds of one F64 tensor "w" for strategies, in plain numbers. */

import assert from "node:assert/strict";
import { widen } from "../../src/weights/convert.ts";
import { isFloatTensor, type NamedTensors } from "../../src/weights/tensors.ts";
import type { Strategy } from "../../src/strategies/strategy.ts";
import { floats, named } from "../weights/sample_tensors.ts";

export type Reply = readonly [client: string, samples: number, values: readonly number[]];

/** The values of a float tensor. */
export function valuesOf(tensors: NamedTensors, name: string): number[] {
  const tensor = tensors.get(name);
  if (tensor === undefined || !isFloatTensor(tensor)) assert.fail(`no floats ${name}`);
  return [...widen(tensor)];
}

/** One round from these weights; the clients' replies are weights too. Returns the next weights. */
export function round(
  strategy: Strategy,
  weights: readonly number[],
  replies: readonly Reply[],
): number[] {
  const tensors = named(floats("w", weights, { dtype: "F64" }));
  const totalSamples = replies.reduce((sum, [, samples]) => sum + samples, 0);
  const aggregation = strategy.aggregate({ round: 0, tensors }, 1, { totalSamples });
  for (const [client, samples, values] of replies) {
    const tensors = named(floats("w", values, { dtype: "F64" }));
    assert.equal(aggregation.add({ client, samples, kind: "weights", tensors }), undefined);
  }
  return valuesOf(aggregation.finish().tensors, "w");
}

/** Equal but for the fold's error and the last bits of float64. */
export function assertNear(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [index, value] of actual.entries()) {
    assert.ok(Math.abs(value - (expected[index] ?? NaN)) < 1e-11, `${actual}, not ${expected}`);
  }
}
