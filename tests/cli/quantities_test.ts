import assert from "node:assert/strict";
import { bytesText, durationText } from "../../src/cli/quantities.ts";

Deno.test("bytesText takes the largest unit that leaves a whole one", () => {
  const texts = [0, 1023, 1024, 1536, 40_000_000, 3 * 1024 ** 4, 5000 * 1024 ** 4].map(bytesText);
  assert.deepEqual(texts, [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "38.1 MiB",
    "3.0 TiB",
    "5000.0 TiB",
  ]);
});

Deno.test("durationText speaks of seconds, then minutes, then hours", () => {
  const texts = [0, 412, 12_340, 59_940, 59_999, 245_000, 7_380_000].map(durationText);
  assert.deepEqual(texts, [
    "0.0 s",
    "0.4 s",
    "12.3 s",
    "59.9 s",
    "1 min 0 s",
    "4 min 5 s",
    "2 h 3 min",
  ]);
});
