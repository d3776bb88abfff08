import assert from "node:assert/strict";
import fc from "fast-check";
import { parseProgress, ProgramLines } from "../../src/client/program_lines.ts";
import type { TrainProgress } from "../../src/client/trainer.ts";

Deno.test("parseProgress() reads progress, and passes over further fields", () => {
  const line = `{"batch": 3, "batches": 10, "loss": 0.5, "epoch": 1}`;
  assert.deepEqual(parseProgress(line), { batch: 3, batches: 10, loss: 0.5 });
});

for (
  const line of [
    "training",
    "{",
    "{}",
    `{"batch": 1, "batches": 10}`,
    `{"batch": 11, "batches": 10, "loss": 1}`,
    `{"batch": 0.5, "batches": 10, "loss": 1}`,
    `{"batch": "1", "batches": 10, "loss": 1}`,
    `[1, 10, 0.5]`,
    "null",
  ]
) {
  Deno.test(`parseProgress() takes ${line} for no progress`, () => {
    assert.equal(parseProgress(line), undefined);
  });
}

Deno.test("parseProgress() never throws", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
    parseProgress(line);
  }));
});

Deno.test("ProgramLines reports once a percent, and begins again with another pass", () => {
  const reports: TrainProgress[] = [];
  const lines = new ProgramLines({ progress: (each) => reports.push(each) });
  const hear = (batch: number) =>
    lines.hear(JSON.stringify({ batch, batches: 1000, loss: 1 }), "stdout");
  for (let batch = 1; batch <= 1000; batch++) hear(batch);
  assert.equal(reports.length, 101); // from 0 to 100 percent
  assert.equal(reports.at(-1)?.batch, 1000);
  hear(1);
  assert.equal(reports.at(-1)?.batch, 1);
});

Deno.test("ProgramLines takes progress from the standard output alone", () => {
  const said: string[] = [];
  const lines = new ProgramLines({
    progress: () => assert.fail(),
    said: (line) => said.push(line),
  });
  const line = `{"batch": 1, "batches": 1, "loss": 1}`;
  lines.hear(line, "stderr");
  assert.deepEqual(said, [line]);
});

Deno.test("ProgramLines quotes the last line of the standard error, and not all of a long one", () => {
  const lines = new ProgramLines({});
  assert.equal(lines.lastWords, "");
  lines.hear("Traceback", "stderr");
  lines.hear("ValueError", "stderr");
  lines.hear("done", "stdout");
  assert.equal(lines.lastWords, ": ValueError");
  lines.hear("x".repeat(5000), "stderr");
  assert.equal(lines.lastWords, `: ${"x".repeat(300)}…`);
});
