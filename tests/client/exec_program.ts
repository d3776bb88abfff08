/**
 * A trainer as a user writes one: finds the mean of the points in $TRIBUTARY_DATA, a CSV file, by
 * gradient descent on half the mean squared distance.
 */

import { decodeModel, encodeModel } from "./exec_model.ts";

interface Task {
  readonly kind: "train" | "evaluate" | "count";
  readonly settings?: { readonly steps?: number; readonly learning_rate?: number };
}

function read(name: string): string {
  return Deno.readTextFileSync(Deno.env.get(name) ?? "");
}

function loss(points: readonly (readonly number[])[], [x, y]: readonly [number, number]): number {
  let sum = 0;
  for (const [px = 0, py = 0] of points) sum += (px - x) ** 2 + (py - y) ** 2;
  return sum / 2 / points.length;
}

const task: Task = JSON.parse(read("TRIBUTARY_TASK"));
const points = read("TRIBUTARY_DATA").trim().split("\n").map((line) => line.split(",").map(Number));
const metrics: Record<string, number> = {};
if (task.kind !== "count") {
  const model = decodeModel(Deno.readFileSync(Deno.env.get("TRIBUTARY_MODEL") ?? ""));
  let [x, y] = model.w;
  if (task.kind === "train") {
    const { steps = 5, learning_rate: rate = 0.5 } = task.settings ?? {};
    for (let step = 1; step <= steps; step++) {
      let [dx, dy] = [0, 0];
      for (const [px = 0, py = 0] of points) [dx, dy] = [dx + x - px, dy + y - py];
      [x, y] = [x - rate * dx / points.length, y - rate * dy / points.length];
      const progress = { batch: step, batches: steps, loss: loss(points, [x, y]) };
      // deno-lint-ignore no-console -- progress is what standard output is for
      console.log(JSON.stringify(progress));
    }
    const trained = encodeModel({ w: [x, y], steps: model.steps + BigInt(steps) });
    Deno.writeFileSync(Deno.env.get("TRIBUTARY_OUT") ?? "", trained);
  }
  metrics.loss = loss(points, [x, y]);
}
const result = JSON.stringify({ samples: points.length, metrics });
Deno.writeTextFileSync(Deno.env.get("TRIBUTARY_RESULT") ?? "", result);
