/**
 * The trial: `deno task test:chaos [--faults N | --minutes N] [--seed S] [--kinds "kill server,…"]`;
 * `--calm` leaves out the turbulence, `--log FILE` keeps all that was said. Prints what was done and
 * what came of it; ends with 0 only if nothing was lost or counted twice.
 */

import { parseArgs } from "node:util";
import { Failure, report } from "../../src/cli/exit.ts";
import { type Output, processIo } from "../../src/cli/io.ts";
import { table } from "../../src/cli/table.ts";
import { type BrokerName, BROKERS, PROTOCOLS } from "../../src/protocols/mod.ts";
import { missingPrograms } from "./brokers.ts";
import { type ChaosFigures, runChaos } from "./chaos.ts";
import { type Fault, FAULTS } from "./federation.ts";
import { Transcript } from "./transcript.ts";

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
    log: { type: "string" },
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

/** The brokers that can be started; of the others it is said that they are left out. */
function brokers(stderr: Output): BrokerName[] {
  const missing = missingPrograms();
  for (const [wire, programs] of missing) {
    const verb = programs.length === 1 ? "is" : "are";
    stderr.write(`without ${wire}: ${programs.join(" and ")} ${verb} not installed\n`);
  }
  return (Object.keys(BROKERS) as BrokerName[]).filter((wire) => !missing.has(wire));
}

using io = processIo();
try {
  const there = brokers(io.stderr);
  const kinds = values.kinds.split(",").filter(isFault)
    .filter((kind) => kind !== "kill broker" || there.length > 0);
  if (kinds.length === 0) throw new Failure(`--kinds must be some of ${FAULTS.join(", ")}`);
  const seed = Number(values.seed);
  io.stdout.write(`seed ${seed}\n`);
  const { minutes } = values;
  using transcript = values.log === undefined ? undefined : new Transcript(values.log);
  const figures = await runChaos({
    seed,
    kinds,
    transcript,
    brokers: there,
    faults: Number(values.faults ?? (minutes === undefined ? FAULTS_IN_CI : Infinity)),
    enough: minutes === undefined
      ? new AbortController().signal
      : AbortSignal.timeout(Number(minutes) * 60_000),
    signal: io.signal,
    turbulent: !values.calm,
    step: (number, what) => io.stderr.write(`${number}: ${what}\n`),
  });
  const rows = [["clients of", [...PROTOCOLS, ...there].join(", ")], ...rowsOf(figures)] as const;
  io.stdout.write(table(rows, [
    { title: "chaos", text: ([what]) => what },
    { title: "figure", text: ([, figure]) => figure },
  ], io.stdout));
  if (figures.wrong.length > 0) throw new Failure(figures.wrong.join("\n"));
} catch (error) {
  report(error, io.stderr);
  Deno.exit(1);
}
Deno.exit(0);
