/**
 * The trial: `deno task test:chaos [--faults N | --minutes N] [--seed S] [--kinds "kill server,…"]`;
 * `--calm` leaves out the turbulence. Prints what was done and what came of it; ends with 0 only if
 * nothing was lost or counted twice.
 */

import { parseArgs } from "node:util";
import { Failure, report } from "../../src/cli/exit.ts";
import { processIo } from "../../src/cli/io.ts";
import { table } from "../../src/cli/table.ts";
import { type ChaosFigures, type Fault, FAULTS, runChaos } from "./chaos.ts";

/** About a minute on two cores. */
const FAULTS_IN_CI = 100;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    faults: { type: "string" },
    minutes: { type: "string" },
    seed: { type: "string", default: String(crypto.getRandomValues(new Uint32Array(1))[0]) },
    kinds: { type: "string", default: FAULTS.join(",") },
    calm: { type: "boolean", default: false },
  },
});

function isFault(name: string): name is Fault {
  return FAULTS.some((fault) => fault === name);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function counts(record: Readonly<Record<string, number>>): string {
  return Object.entries(record).map(([what, count]) => `${count} ${what}`).join(", ") || "none";
}

function rowsOf(figures: ChaosFigures): [string, string][] {
  const { startsMs } = figures;
  return [
    ["faults", counts(figures.faults)],
    ["turbulence", counts(figures.turbulence)],
    ["rounds closed", String(figures.rounds)],
    ["models looked at", String(figures.models)],
    ["updates promised to count", String(figures.promises)],
    [
      "start to listening, median",
      `${(median(startsMs) / 1000).toFixed(2)} s of ${startsMs.length}`,
    ],
    ["lost or counted twice", String(figures.wrong.length)],
  ];
}

using io = processIo();
try {
  const kinds = values.kinds.split(",").filter(isFault);
  if (kinds.length === 0) throw new Failure(`--kinds must be some of ${FAULTS.join(", ")}`);
  const seed = Number(values.seed);
  io.stdout.write(`seed ${seed}\n`);
  const { minutes } = values;
  const long = minutes === undefined ? [] : [AbortSignal.timeout(Number(minutes) * 60_000)];
  const figures = await runChaos({
    seed,
    kinds,
    faults: Number(values.faults ?? (minutes === undefined ? FAULTS_IN_CI : Infinity)),
    signal: AbortSignal.any([io.signal, ...long]),
    turbulent: !values.calm,
    step: (number, what) => io.stderr.write(`${number}: ${what}\n`),
  });
  io.stdout.write(table(rowsOf(figures), [
    { title: "chaos", text: ([what]) => what },
    { title: "figure", text: ([, figure]) => figure },
  ], io.stdout));
  if (figures.wrong.length > 0) throw new Failure(figures.wrong.join("\n"));
} catch (error) {
  report(error, io.stderr);
  Deno.exit(1);
}
Deno.exit(0);
