/** `tributary join`: trains for a running server, with data of one's own. */

import type { Command } from "commander";
import { hostname } from "node:os";
import { DatasetError } from "../client/datasets/dataset.ts";
import { ExecTrainer } from "../client/exec_trainer.ts";
import { takePart } from "../client/runs.ts";
import { type FinalModel, SessionEnded, type SessionEvent } from "../client/session.ts";
import { TfjsTrainer } from "../client/tfjs_trainer.ts";
import { type Trainer, TrainerError, TrainerLost } from "../client/trainer.ts";
import { Verdict } from "../contract/federation_pb.ts";
import { verdictName } from "../events.ts";
import { type Log, openLog } from "../log.ts";
import { readAddress, refusalOf } from "../protocols/mod.ts";
import { openClientState } from "./client_state.ts";
import { makeCommand, parse } from "./command.ts";
import { cpuShareOf } from "./cpu_share.ts";
import { credentialsOf, type TokenFlags } from "./credentials.ts";
import { exit, type ExitCode, Failure, OperatorError } from "./exit.ts";
import type { Io } from "./io.ts";
import { paint } from "./paint.ts";
import { version } from "./program.ts";
import { ProgressBar } from "./progress.ts";
import { Repeats } from "./repeats.ts";
import { saveModel } from "./saved_model.ts";
import { CA_OPTION, readCa } from "./trust.ts";
import { untrusted } from "./untrusted.ts";
import { addressText, explain } from "./wire_table.ts";

interface JoinFlags extends TokenFlags {
  readonly data?: string;
  readonly exec?: string;
  readonly samples?: string;
  readonly ca?: string;
  readonly out?: string;
  readonly once?: boolean;
  readonly state?: string;
  readonly cpuShare?: string;
  readonly label?: readonly string[];
  readonly explain?: boolean;
  readonly logLevel: string;
  readonly logFormat: string;
}

export function command(io: Io): Command {
  return makeCommand({
    name: "tributary join",
    description: "Trains for a running server, with data of one's own.",
    examples: [
      ["tributary join mqtt://127.0.0.1:1883/default --data train.csv", "over MQTT"],
      [
        "tributary join 'quic://host:4433/default?hash=...' grpc://host:50051/default " +
        "--data x.npy,y.npy",
        "over QUIC, or over gRPC when QUIC does not answer",
      ],
      [
        "tributary join amqp://127.0.0.1:5672/default --data mnist:share=1/5,alpha=0.5",
        "with a share of MNIST, to try things out",
      ],
      [
        "tributary join grpc://127.0.0.1:50051/default --exec 'python train.py' --samples 1000",
        "with a program of one's own, see examples/trainers",
      ],
      [
        "tributary join mqtts://fl.example.org:1883/default --ca ca.pem --data train.csv",
        "over TLS, to a server with a certificate of `tributary tls init`",
      ],
      [
        "tributary join mqtt://127.0.0.1:1883/default --data train.csv --once --out m.safetensors",
        "for one run; without --once it stays, and takes part in the next one, too",
      ],
    ],
  }, io)
    .addHelpText("after", () => `\n${paint(io.stdout, "strong", "Exit codes:")}${EXIT_CODES}`)
    .argument("<url...>", "the server's addresses, as `tributary serve` prints them")
    .option(
      "--data <spec>",
      "train.csv, images.idx,labels.idx, x.npy,y.npy or mnist; with --exec, whatever it understands",
    )
    .option("--exec <command>", "train with this program instead of TensorFlow.js")
    .option("--samples <n>", "training samples of --exec; left out, the program is asked")
    .option(
      "--id <id>",
      "this client's id, unlike any other's (default: the token's, else the host's name and a number)",
    )
    .option(...CA_OPTION)
    .option("--token <text>", "proves the id; see `tributary token` (or set TRIBUTARY_TOKEN)")
    .option("--token-file <file>", "the file with the token, which other users then do not see")
    .option("--once", "end with the run (default: wait for the next one at the same addresses)")
    .option(
      "--state <dir>",
      "keep session, model and unfinished upload here, to go on after a crash",
    )
    .option("--cpu-share <0..1>", "compute for at most this share of the time; not with --exec")
    .option("--out <file>", "write the final model here, of each run")
    .option("--label <name=value...>", "what the operator may know this client by")
    .option("--explain", "show, round by round, which of several addresses is taken, and why")
    .option("--log-level <debug|info|warning|error>", "the least important lines to write", "info")
    .option("--log-format <text|json>", "lines for people, or one JSON object a line", "text");
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const flags = asked.opts<JoinFlags>();
  const level = oneOf("--log-level", flags.logLevel, ["debug", "info", "warning", "error"]);
  const format = oneOf("--log-format", flags.logFormat, ["text", "json"]);
  using log = openLog({ level, format, output: io.stderr });
  return await join(urlsOf(asked.args), flags, { io, log });
}

const EXIT_CODES = `
  0  the run is over (--once), or the client was stopped by Ctrl-C or SIGTERM
  1  the run ended without this client (--once), or the trainer is gone: start it again
  2  something must be changed first: the command line, the data, the id, the token, this machine`;

interface Surroundings {
  readonly io: Io;
  readonly log: Log;
}

async function join(
  urls: readonly URL[],
  flags: JoinFlags,
  { io, log }: Surroundings,
): Promise<ExitCode> {
  const { out, once = false } = flags;
  const labels = Object.fromEntries((flags.label ?? []).map(labelOf));
  const ca = await readCa(flags.ca, io);
  const { id, token } = await credentialsOf(flags, io);
  const newClientId = () =>
    `${safe(hostname())}-${crypto.getRandomValues(new Uint8Array(4)).toHex()}`;
  await using state = await openClientState(flags.state, { id, newClientId, log });
  const clientId = state?.clientId ?? id ?? newClientId();
  using watcher = new Watcher(io, log, flags);
  try {
    await using trainer = await openTrainer(flags, { io, log });
    log.write("info", "joining", {
      client: clientId,
      samples: trainer.samples,
      samples_by_class: trainer instanceof TfjsTrainer
        ? trainer.classCounts.map(String)
        : undefined,
    });
    await takePart({
      clientId,
      urls,
      trainer,
      software: `tributary/${version}`,
      ...(token === undefined ? {} : { token }),
      labels,
      ca,
      once,
      state,
      signal: io.signal,
      observe: (event) => watcher.observe(event),
      finished: async ({ model, round, reason, metrics }: FinalModel) => {
        if (out !== undefined) await saveModel(out, model);
        log.write("info", "finished", { round, reason, ...metrics });
      },
    });
    return exit.ok;
  } catch (error) {
    if (io.signal.aborted) return exit.ok; // the server was told
    throw endingOf(error);
  }
}

/** What the operator must change has another exit code than what time alone mends. */
function endingOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { message } = error;
  const passes = error instanceof SessionEnded && error.passes || error instanceof TrainerLost;
  if (passes) return new Failure(message, { cause: error });
  // The data does not fit the federation's model, the model cannot be built, or a URL is no address.
  const kinds = [SessionEnded, DatasetError, TrainerError, TypeError];
  return kinds.some((kind) => error instanceof kind)
    ? new OperatorError(message, { cause: error })
    : error;
}

async function openTrainer(
  { data, exec, samples, cpuShare: share }: JoinFlags,
  surroundings: Surroundings,
): Promise<Trainer> {
  const cpuShare = cpuShareOf(share, { exec });
  if (exec !== undefined) {
    return await openProgram(exec, { data, samples: countOf(samples) }, surroundings);
  }
  if (samples !== undefined) {
    throw new OperatorError("--samples belongs to --exec; the samples of --data are counted");
  }
  if (data === undefined) {
    throw new OperatorError("join needs --data, or --exec with a program that has data of its own");
  }
  try {
    return await TfjsTrainer.open(data, { cpuShare });
  } catch (error) {
    if (!(error instanceof DatasetError)) throw error;
    throw new OperatorError(`--data: ${error.message}`, { cause: error });
  }
}

async function openProgram(
  command: string,
  { data, samples }: { data: string | undefined; samples: number | undefined },
  { io, log }: Surroundings,
): Promise<Trainer> {
  if (Deno.build.os === "windows") {
    throw new OperatorError("--exec needs a POSIX shell and process groups: join from within WSL");
  }
  if ((await Deno.permissions.query({ name: "run" })).state !== "granted") {
    throw new OperatorError(
      "--exec must be allowed to run programs: from the sources it is `deno task join:exec`",
    );
  }
  const said = (line: string) => log.write("debug", "trainer said", { line });
  try {
    return await ExecTrainer.open({ command, data, samples, said, signal: io.signal });
  } catch (error) {
    if (!(error instanceof TrainerError)) throw error;
    throw new OperatorError(
      `--exec: ${error.message} (asked for its number of samples: see examples/trainers, or name --samples)`,
      { cause: error },
    );
  }
}

function countOf(samples: string | undefined): number | undefined {
  if (samples === undefined) return undefined;
  const count = Number(samples);
  if (/^\d+$/.test(samples) && count >= 1 && count < 2 ** 32) return count;
  throw new OperatorError(
    `--samples is ${JSON.stringify(samples)}, but must be a whole number of at least 1`,
  );
}

/** What the session does, as log lines and a progress bar while it trains. */
class Watcher implements Disposable {
  readonly #io: Io;
  readonly #log: Log;
  readonly #flags: JoinFlags;
  readonly #repeats = new Repeats();
  #bar: ProgressBar | undefined;

  constructor(io: Io, log: Log, flags: JoinFlags) {
    this.#io = io;
    this.#log = log;
    this.#flags = flags;
  }

  observe(event: SessionEvent): void {
    if (event.kind === "training") {
      const { round, progress: { batch, batches, loss } } = event;
      this.#log.write("debug", "training", { round, batch, batches, loss });
      this.#bar ??= new ProgressBar(this.#io.stderr, {
        label: `training round ${round}`,
        total: batches,
      });
      return this.#bar.update(batch);
    }
    if (event.kind === "modelPart") return;
    this[Symbol.dispose]();
    switch (event.kind) {
      case "unreachable": {
        const { url, reason, retryInMs } = event;
        const level = this.#repeats.level(url, reason, "warning");
        return this.#log.write(level, "server not reached", {
          url: addressText(url),
          reason,
          todo: untrusted(reason, url),
          retry_in_ms: retryInMs === undefined ? undefined : Math.round(retryInMs),
        });
      }
      case "welcomed": {
        const { wire, runId, round } = event;
        this.#repeats.clear();
        return this.#log.write("info", "welcomed", { wire, run_id: runId, round });
      }
      case "modelHeld":
        return this.#log.write("debug", "model held", { round: event.round, bytes: event.bytes });
      case "trained":
        return this.#log.write("info", "trained", { round: event.round, ...event.metrics });
      case "uploaded": {
        const { round, verdict, detail } = event;
        const good = verdict === Verdict.ACCEPTED || verdict === Verdict.DUPLICATE;
        return this.#log.write(good ? "info" : "warning", "update judged", {
          round,
          verdict: verdictName(verdict),
          detail: detail === "" ? undefined : detail,
        });
      }
      case "evaluated":
        return this.#log.write("info", "evaluated", { round: event.round, ...event.metrics });
      case "taskFailed":
        return this.#log.write("error", "task failed", {
          round: event.round,
          reason: event.reason,
        });
      case "roundClosed":
        return this.#log.write("debug", "round closed", {
          round: event.round,
          clients: event.clients,
        });
      case "lost": {
        const { wire, reason } = event;
        const level = this.#repeats.level(`lost ${wire}`, reason, "warning");
        return this.#log.write(level, "connection lost", { wire, reason });
      }
      case "wireChosen":
        return explain(event, { ...this.#flags, log: this.#log, output: this.#io.stderr });
      case "waiting": {
        const { reason, retryInMs } = event;
        const level = this.#repeats.level("waiting", reason, "info");
        return this.#log.write(level, "waiting", {
          reason,
          retry_in_ms: Math.round(retryInMs),
        });
      }
      default:
        event satisfies never;
    }
  }

  [Symbol.dispose](): void {
    this.#bar?.[Symbol.dispose]();
    this.#bar = undefined;
  }
}

/** @throws {OperatorError} where one cannot be read, or this Deno can dial none of them. */
function urlsOf(texts: readonly string[]): URL[] {
  const urls = texts.map(urlOf);
  const refusals = urls.map(refusalOf).filter((refusal) => refusal !== undefined);
  if (refusals.length < urls.length) return urls;
  throw new OperatorError(`${refusals[0]}; name an address of another wire of the server`);
}

function urlOf(text: string): URL {
  try {
    return readAddress(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new OperatorError(error.message, { cause: error });
  }
}

function labelOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new OperatorError(`--label ${text} must be of the form name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function oneOf<Value extends string>(
  flag: string,
  value: string,
  values: readonly Value[],
): Value {
  const found = values.find((each) => each === value);
  if (found !== undefined) return found;
  throw new OperatorError(
    `${flag} is ${JSON.stringify(value)}, but must be ${values.join(" or ")}`,
  );
}

/** A client id has 1 to 64 of these characters. */
function safe(text: string): string {
  return text.replace(/[^A-Za-z0-9._-]/g, "-").slice(0, 48) || "client";
}
