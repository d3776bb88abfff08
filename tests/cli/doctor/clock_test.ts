import assert from "node:assert/strict";
import { join } from "node:path";
import { checkClock } from "../../../src/cli/doctor/clock.ts";
import { StateDirectory } from "../../vault/state_directory.ts";

const HOUR_MS = 3_600_000;

Deno.test("checkClock() compares with the newest file of the state directory", () => {
  using directory = new StateDirectory();
  assert.match(checkClock(directory.path).seen, /with no state to compare it with$/);
  Deno.mkdirSync(join(directory.path, "models"));
  Deno.writeTextFileSync(join(directory.path, "old"), "");
  Deno.utimeSync(join(directory.path, "old"), 0, 0);
  const newest = join(directory.path, "models", "new");
  Deno.writeTextFileSync(newest, "");
  const finding = checkClock(directory.path);
  assert.equal(finding.state, "ok", finding.seen);
  assert.ok(finding.seen.endsWith(`after ${newest} was written`), finding.seen);
});

Deno.test("checkClock() finds a clock that was set back", () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "ledger.sqlite");
  Deno.writeTextFileSync(path, "");
  const later = new Date(Date.now() + 2 * HOUR_MS);
  Deno.utimeSync(path, later, later);
  const finding = checkClock(directory.path);
  assert.equal(finding.state, "failed");
  assert.match(finding.seen, /^it is at .*, (2 h 0|1 h 59) min before .* was written$/);
  assert.match(finding.todo, /NTP/);
});

Deno.test("checkClock() finds a clock that begins at its epoch", () => {
  assert.equal(checkClock(undefined, HOUR_MS).state, "failed"); // no test may set the machine's
});
