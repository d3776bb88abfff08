import assert from "node:assert/strict";
import { cpuShareOf } from "../../src/cli/cpu_share.ts";
import { OperatorError } from "../../src/cli/exit.ts";

Deno.test("cpuShareOf() reads a share, and is all of the time where none is named", () => {
  assert.equal(cpuShareOf(undefined, { exec: undefined }), 1);
  assert.equal(cpuShareOf(undefined, { exec: "python train.py" }), 1);
  assert.equal(cpuShareOf("0.25", { exec: undefined }), 0.25);
  assert.equal(cpuShareOf("1", { exec: undefined }), 1);
});

for (const text of ["0", "0.0", "1.5", "-1", "", ".", "1e-1", "NaN", "half", "0.5.5"]) {
  Deno.test(`cpuShareOf() refuses ${JSON.stringify(text)} in a sentence`, () => {
    assert.throws(() => cpuShareOf(text, { exec: undefined }), (error) => {
      assert.ok(error instanceof OperatorError);
      assert.match(error.message, /--cpu-share is .* above 0 and at most 1/);
      return true;
    });
  });
}

Deno.test("cpuShareOf() refuses to hold back a program, and says what can", () => {
  assert.throws(() => cpuShareOf("0.5", { exec: "python train.py" }), /--exec; .*CPUQuota=/);
});
