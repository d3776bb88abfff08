import assert from "node:assert/strict";
import type { BenchFigures } from "../../src/bench/bench.ts";
import type { RoundFigures } from "../../src/bench/figures.ts";
import { benchReport, benchTables } from "../../src/cli/bench_tables.ts";

const MB = 1e6;

function round(downSeconds: number): RoundFigures {
  return {
    wires: [{
      wire: "mqtt",
      round: 2,
      down: { bytes: 40 * MB, seconds: downSeconds },
      up: { bytes: 40 * MB, seconds: 0.4 },
      wireBytes: { down: 40.4 * MB, up: 44 * MB },
    }],
    seconds: 1.25,
    serverCpuSeconds: 0.75,
    closeMs: 61.6,
    longestBlockMs: 7.04,
  };
}

const figures: BenchFigures = {
  weightBytes: 40 * MB,
  together: round(0.8),
  alone: new Map([["mqtt", round(0.2)]]),
  floor: {
    memcpy: { bytes: 5000 * MB, seconds: 1 },
    tcp: { down: { bytes: 2000 * MB, seconds: 1 }, up: { bytes: 1000 * MB, seconds: 1 } },
  },
  peakRssBytes: 512 * 1024 * 1024,
  mistakes: [],
};

/** The line after the one that begins with `heading`, and the one after that. */
function under(text: string, heading: string): string[] {
  const lines = text.split("\n");
  const at = lines.findIndex((line) => line.startsWith(heading));
  return lines.slice(at + 1, at + 3).map((line) => line.trim().replaceAll(/ {2,}/g, "|"));
}

Deno.test("benchTables shows rates, shares of the floor and ratios of each wire, together and alone", () => {
  const text = benchTables(figures, {}, { colours: false });
  assert.match(text, /^10,000,000 float32 \(40 MB\)/);
  assert.deepEqual(under(text, "All wires in one round"), [
    "WIRE|DOWN MB/S|UP MB/S|DOWN OF TCP|UP OF TCP|DOWN RATIO|UP RATIO",
    "mqtt|50.0|100.0|2.5 %|10.0 %|1.0100|1.1000",
  ]);
  assert.deepEqual(under(text, "Each wire alone"), [
    "WIRE|DOWN MB/S|UP MB/S|DOWN OF TCP|UP OF TCP|DOWN RATIO|UP RATIO|ROUND S|SERVER CPU S|CLOSE MS",
    "mqtt|200.0|100.0|10.0 %|10.0 %|1.0100|1.1000|1.25|0.75|62",
  ]);
  assert.match(text, /memcpy +5000\.0 MB\/s\n/);
  assert.match(text, /next model's offer +62 ms\n/);
  assert.match(text, /blocked at most +7 ms\n/);
  assert.match(text, /memory at its most +512\.0 MiB\n/);
});

Deno.test("benchTables shows a dash for what was too short to be timed, and says what is left out", () => {
  const text = benchTables({ ...figures, together: round(0) }, { dds: "no libddsc" }, {
    colours: false,
  });
  assert.deepEqual(under(text, "All wires in one round")[1], "mqtt|-|100.0|-|10.0 %|1.0100|1.1000");
  assert.match(text, /without dds: no libddsc\n$/);
});

Deno.test("benchReport says the same in numbers, null for what was too short to be timed", () => {
  const report = benchReport({ ...figures, together: round(0) });
  assert.deepEqual(report.together, {
    seconds: 1.25,
    server_cpu_seconds: 0.75,
    round_close_ms: 61.6,
    longest_block_ms: 7.04,
    wires: { mqtt: { down_mb_s: null, up_mb_s: 100, down_ratio: 1.01, up_ratio: 1.1 } },
  });
  assert.equal(report.alone.mqtt?.down_mb_s, 200);
  assert.deepEqual(report.floor, { memcpy_mb_s: 5000, tcp_down_mb_s: 2000, tcp_up_mb_s: 1000 });
});
