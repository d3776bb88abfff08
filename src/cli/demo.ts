/** `tributary demo`: a server and a client on each wire, on this machine, with real data. */

import type { Command } from "commander";
import { join } from "node:path";
import { type Config, readConfig } from "../config.ts";
import { type DemoResult, type DemoRound, runDemo } from "../demo/demo.ts";
import { ClientFailed } from "../demo/local_federation.ts";
import { openEvents } from "../events.ts";
import { openLog } from "../log.ts";
import { Metrics } from "../metrics.ts";
import { PROTOCOLS } from "../protocols/mod.ts";
import { available } from "../server/available.ts";
import { makeCommand, parse } from "./command.ts";
import { exit, type ExitCode, Failure, OperatorError } from "./exit.ts";
import { type Format, formatOption, jsonDocument } from "./format.ts";
import type { Io, Output } from "./io.ts";
import { paint } from "./paint.ts";
import { ProgressBar } from "./progress.ts";
import { setUpDds } from "./set_up.ts";
import { table } from "./table.ts";

/** Names the directories that a demo has made, and may empty. */
const MARK = ".tributary-demo";

const PARTITION = { alpha: 0.5, seed: 1 };

interface DemoFlags {
  readonly protocols?: string;
  readonly rounds: string;
  readonly out: string;
  readonly format: Format;
}

export function command(io: Io): Command {
  return makeCommand({
    name: "tributary demo",
    description:
      "Trains a digit classifier on MNIST: the server and a client on each wire, all on this machine.",
    examples: [
      ["tributary demo", "every wire that this machine can serve"],
      ["tributary demo --protocols mqtt,dds --rounds 10", "these two wires, both or none"],
      ["tributary demo --format json", "the result for a program, the rounds on standard error"],
    ],
  }, io)
    .option(
      `--protocols <${PROTOCOLS.join("|")},...>`,
      "the wires; each is then mandatory (default: all there are)",
    )
    .option("--rounds <n>", "rounds to train", "5")
    .option("--out <dir>", "where models are saved; emptied of an earlier demo", "tributary-demo")
    .addOption(formatOption("how the result is written"));
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const flags = asked.opts<DemoFlags>();
  const mandatory = flags.protocols !== undefined;
  const wanted = demoConfig(flags);
  if (wanted.protocols.includes("dds")) await setUpDds(io);
  const { config: possible, missing } = available(wanted, { mandatory });
  const config = withClientOnEach(possible);
  await emptyDirectory(flags.out);
  // Where the result is for a program, it alone is on standard output.
  const rows = flags.format === "json" ? io.stderr : io.stdout;
  const show = new Show(rows, { bar: io.stderr, rounds: config.training.rounds });
  using log = openLog({ level: "warning", format: "text", output: io.stderr });
  using _ = show;
  const metrics = new Metrics();
  let result: DemoResult;
  try {
    result = await runDemo({
      config,
      events: openEvents(log, metrics),
      metrics,
      missing,
      directory: flags.out,
      partition: PARTITION,
      signal: io.signal,
      watch: show,
    });
  } catch (error) {
    if (io.signal.aborted) throw new Failure("the demo was stopped", { cause: error });
    if (error instanceof ClientFailed) throw new Failure(error.message, { cause: error });
    throw error;
  }
  show[Symbol.dispose]();
  const mistakes = mistakesOf(result, config);
  io.stdout.write(
    flags.format === "json" ? jsonDocument(report(result, missing)) : summary(result, missing, io),
  );
  if (mistakes.length > 0) throw new Failure(mistakes.join("; "));
  return exit.ok;
}

/** Defaults, any free ports, and the digits. */
function demoConfig({ protocols = PROTOCOLS.join(","), rounds, out }: DemoFlags): Config {
  const ports = Object.fromEntries(PROTOCOLS.map((wire) => [`${wire}-port`, "0"]));
  const { config } = readConfig({
    flags: {
      protocols,
      rounds,
      state: out,
      "test-data": "mnist:test",
      "web-port": "0",
      ...ports,
    },
  });
  return config;
}

/** The run begins when the client of each wire that can run is there. */
function withClientOnEach(config: Config): Config {
  return { ...config, training: { ...config.training, minClients: config.protocols.length } };
}

/** What an earlier demo left in its directory; nothing else is touched. */
async function emptyDirectory(path: string): Promise<void> {
  let isDemo = false;
  let isEmpty = true;
  try {
    for await (const { name } of Deno.readDir(path)) {
      isEmpty = false;
      isDemo ||= name === MARK;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (!isEmpty && !isDemo) {
    throw new OperatorError(
      `--out names ${path}, which holds other things; name another directory`,
    );
  }
  if (isDemo) await Deno.remove(path, { recursive: true });
  await Deno.mkdir(path, { recursive: true });
  await Deno.writeTextFile(join(path, MARK), "");
}

/** Rows as they come, and a bar below them. */
class Show implements Disposable {
  readonly #rows: Output;
  readonly #bar: ProgressBar;
  readonly #begunMs = performance.now();
  #done = 0;

  constructor(rows: Output, { bar, rounds }: { bar: Output; rounds: number }) {
    this.#rows = rows;
    this.#bar = new ProgressBar(bar, { label: "starting", total: rounds });
  }

  shared(samplesByClass: ReadonlyMap<string, readonly number[]>): void {
    const classes = Math.max(0, ...[...samplesByClass.values()].map((counts) => counts.length));
    const columns = Array.from({ length: classes }, (_, digit) => ({
      title: String(digit),
      align: "right" as const,
      text: ([, counts]: [string, readonly number[]]) => String(counts[digit] ?? 0),
    }));
    this.#rows.write(
      `MNIST shared by label, Dirichlet ${PARTITION.alpha}, seed ${PARTITION.seed}; samples by digit\n` +
        table([...samplesByClass], [
          { title: "client", text: ([wire]) => wire },
          ...columns,
          {
            title: "all",
            align: "right",
            text: ([, counts]) => String(counts.reduce((sum, count) => sum + count, 0)),
          },
        ], this.#rows) + "\n",
    );
  }

  roundStarted(round: number): void {
    this.#bar.update(this.#done, `training round ${round}`);
  }

  roundDone(round: DemoRound): void {
    this.#done = round.round;
    const { clients, selected, loss, accuracy, seconds, bytes } = round;
    const kib = (count: number) => Math.ceil(count / 1024);
    const traffic = Object.entries(bytes).map(([wire, { up, down }]) =>
      `${wire} ${kib(up)}/${kib(down)}`
    );
    this.#rows.write(
      `round ${round.round}  clients ${clients}/${selected}  loss ${loss.toFixed(4)}  ` +
        `accuracy ${paint(this.#rows, "good", accuracy.toFixed(4))}  ` +
        `${seconds.toFixed(1)} s  ` +
        paint(this.#rows, "faint", `KiB up/down: ${traffic.join(" ")}`) + "\n",
    );
    const total = (performance.now() - this.#begunMs) / 1000;
    this.#bar.update(this.#done, `${this.#done} rounds in ${total.toFixed(0)} s`);
  }

  [Symbol.dispose](): void {
    this.#bar[Symbol.dispose]();
  }
}

/** What must hold, and does not. */
function mistakesOf(result: DemoResult, config: Config): string[] {
  const { outcome, clientSha256, exitCodes, modelSha256 } = result;
  const mistakes: string[] = [];
  if (outcome.rounds < config.training.rounds) {
    mistakes.push(`only ${outcome.rounds} of ${config.training.rounds} rounds were trained`);
  }
  if (modelSha256 !== outcome.sha256) mistakes.push("the saved model is not the final one");
  for (const wire of config.protocols) {
    const sha256 = clientSha256.get(wire);
    if (exitCodes.get(wire) !== 0) {
      mistakes.push(`the ${wire} client ended with code ${exitCodes.get(wire)}`);
    } else if (sha256 !== outcome.sha256) mistakes.push(`the ${wire} client holds another model`);
  }
  return mistakes;
}

function report(result: DemoResult, missing: Readonly<Record<string, string>>) {
  const { outcome, rounds, clientSha256, seconds, traffic } = result;
  return {
    rounds: outcome.rounds,
    clients: Object.fromEntries([...clientSha256.keys()].map((wire) => [wire, 1])),
    test_accuracy: rounds.at(-1)?.accuracy ?? 0,
    model_sha256: outcome.sha256,
    client_sha256: Object.fromEntries(clientSha256),
    seconds: Number(seconds.toFixed(1)),
    bytes: traffic,
    missing,
  };
}

function summary(
  { outcome, rounds, clientSha256, modelPath, seconds }: DemoResult,
  missing: Readonly<Record<string, string>>,
  io: Io,
): string {
  const accuracy = (rounds.at(-1)?.accuracy ?? 0).toFixed(4);
  const models = table(
    [
      ["server", modelPath, outcome.sha256],
      ...[...clientSha256].map((
        [wire, sha256],
      ) => [wire, join(modelPath, "..", `${wire}.safetensors`), sha256]),
    ],
    [
      { title: "holder", text: ([who = ""]) => who },
      { title: "final model", text: ([, path = ""]) => path },
      {
        title: "sha256",
        text: ([, , sha256 = ""]) => sha256,
        look: ([, , sha256]) => sha256 === outcome.sha256 ? "good" : "bad",
      },
    ],
    io.stdout,
  );
  const left = Object.entries(missing).map(([wire, reason]) => `without ${wire}: ${reason}\n`);
  return `\n${models}\ntest accuracy ${paint(io.stdout, "strong", accuracy)} after ` +
    `${outcome.rounds} rounds in ${seconds.toFixed(1)} s\n${left.join("")}`;
}
