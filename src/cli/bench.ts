/** `tributary bench`: how fast a model crosses each wire on this machine. */

import { type Command, Option } from "commander";
import { type BenchFigures, runBench } from "../bench/bench.ts";
import { runBenchClient } from "../bench/client.ts";
import { runFloorClient } from "../bench/floor.ts";
import { type Config, readConfig } from "../config.ts";
import { ClientFailed } from "../demo/local_federation.ts";
import { openEvents } from "../events.ts";
import { openLog } from "../log.ts";
import { Metrics } from "../metrics.ts";
import { PROTOCOLS } from "../protocols/mod.ts";
import { available } from "../server/available.ts";
import { benchReport, benchTables } from "./bench_tables.ts";
import { makeCommand, parse } from "./command.ts";
import { exit, type ExitCode, Failure, OperatorError } from "./exit.ts";
import { type Format, formatOption, jsonDocument } from "./format.ts";
import type { Io } from "./io.ts";
import { ProgressBar } from "./progress.ts";
import { setUpDds } from "./set_up.ts";

interface BenchFlags {
  readonly protocols?: string;
  readonly bytes: string;
  readonly format: Format;
  /** How the bench starts its own clients: not for people. */
  readonly client?: string;
  readonly id?: string;
  readonly floor?: string;
}

/** Five updates of this length may be under way at once, with the default limits. */
const MOST_BYTES = 800_000_000;

export function command(io: Io): Command {
  return makeCommand({
    name: "tributary bench",
    description:
      "Measures how fast a model crosses each wire on this machine: all wires in one round, " +
      "then each alone.",
    examples: [
      ["tributary bench", "10 million float32 on every wire that this machine can serve"],
      ["tributary bench --protocols grpc,quic --bytes 4000000", "a small model, on two wires"],
      ["tributary bench --format json", "one JSON object"],
    ],
  }, io)
    .option(
      `--protocols <${PROTOCOLS.join("|")},...>`,
      "the wires; each is then mandatory (default: all there are)",
    )
    .option("--bytes <n>", "length of the weights, a multiple of 4", "40000000")
    .addOption(formatOption("how the figures are written"))
    .addOption(new Option("--client <url>").hideHelp())
    .addOption(new Option("--id <id>").hideHelp())
    .addOption(new Option("--floor <port>").hideHelp());
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const flags = asked.opts<BenchFlags>();
  return flags.client === undefined && flags.floor === undefined
    ? await bench(flags, io)
    : await client(flags, io);
}

/** One of the bench's own processes. */
async function client({ client: url, id = "bench", floor }: BenchFlags, io: Io): Promise<ExitCode> {
  using log = openLog({ level: "info", format: "json", output: io.stderr });
  try {
    if (floor !== undefined) await runFloorClient(Number(floor), log);
    else if (url !== undefined) await runBenchClient({ url, id, log, signal: io.signal });
    return exit.ok;
  } catch (error) {
    if (io.signal.aborted) return exit.ok; // the server was told
    throw new Failure(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function bench(flags: BenchFlags, io: Io): Promise<ExitCode> {
  const { format } = flags;
  const weightBytes = bytesOf(flags.bytes);
  const mandatory = flags.protocols !== undefined;
  const wanted = benchConfig(flags.protocols);
  if (wanted.protocols.includes("dds")) await setUpDds(io);
  const { config, missing } = available(wanted, { mandatory });
  const figures = await measured(config, weightBytes, io);
  io.stdout.write(
    format === "json"
      ? jsonDocument({ ...benchReport(figures), missing })
      : benchTables(figures, missing, io.stdout),
  );
  if (figures.mistakes.length > 0) throw new Failure(figures.mistakes.join("; "));
  return exit.ok;
}

async function measured(config: Config, weightBytes: number, io: Io): Promise<BenchFigures> {
  using bar = new ProgressBar(io.stderr, {
    label: "measuring",
    total: config.protocols.length + 2,
  });
  using log = openLog({ level: "warning", format: "text", output: io.stderr });
  try {
    return await runBench({
      config,
      weightBytes,
      events: openEvents(log, new Metrics()),
      signal: io.signal,
      step: (done, what) => bar.update(done, what),
    });
  } catch (error) {
    if (io.signal.aborted) throw new Failure("the bench was stopped", { cause: error });
    if (error instanceof ClientFailed) throw new Failure(error.message, { cause: error });
    throw error;
  }
}

function bytesOf(text: string): number {
  const bytes = Number(text);
  if (Number.isInteger(bytes / 4) && bytes >= 4 && bytes <= MOST_BYTES) return bytes;
  throw new OperatorError(
    `--bytes is ${JSON.stringify(text)}, but must be a multiple of 4 from 4 to ${MOST_BYTES}`,
  );
}

/** Defaults, and any free ports. */
function benchConfig(protocols = PROTOCOLS.join(",")): Config {
  const ports = Object.fromEntries(PROTOCOLS.map((wire) => [`${wire}-port`, "0"]));
  return readConfig({ flags: { protocols, web: false, ...ports } }).config;
}
