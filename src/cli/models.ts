/** `tributary models`: the models that a run keeps, listed and exported. */

import { createHash } from "node:crypto";
import type { Command } from "commander";
import { Archive } from "../vault/archive.ts";
import { makeArchiveCommand, parseArchive, reading } from "./archive_command.ts";
import { wordArgument } from "./command.ts";
import { exit, type ExitCode, Failure, OperatorError } from "./exit.ts";
import { jsonDocument } from "./format.ts";
import type { Io } from "./io.ts";
import { bytesText } from "./quantities.ts";
import { writeModel } from "./saved_model.ts";
import { table } from "./table.ts";

export function command(io: Io): Command {
  return makeArchiveCommand({
    name: "tributary models",
    description: "Lists the models that a run keeps, or exports one. Changes nothing in the run.",
    examples: [
      ["tributary models --state run1", "which models there are"],
      ["tributary models export 5 --state run1 --out m.safetensors", "the model of round 5"],
      ["tributary models export newest --state run1 --out m.safetensors", "the newest one"],
    ],
  }, io)
    .addArgument(wordArgument("[export]", "to copy one model out"))
    .argument("[round]", "whose model, or newest")
    .option("--out <file>", "where the exported model is written");
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  const { state, json } = await parseArchive(asked, args);
  const [verb, round] = asked.args;
  const { out } = asked.opts<{ out?: string }>();
  if (verb === undefined) {
    if (out !== undefined) throw new OperatorError("--out belongs to `models export ROUND`");
    const models = reading(state, () => modelsIn(state));
    if (json) io.stdout.write(jsonDocument(models));
    else io.stdout.write(view(models, io) || `No model is in ${state}.\n`);
    return exit.ok;
  }
  if (verb !== "export") {
    throw new OperatorError(`${JSON.stringify(verb)} is none of this verb's words; write export`);
  }
  if (round === undefined) throw new OperatorError("Say whose model: `models export ROUND`");
  if (out === undefined) throw new OperatorError("Say where to: --out FILE");
  const exported = await exportModel({ state, round, out });
  io.stdout.write(
    json
      ? jsonDocument(exported)
      : `model of round ${exported.round}  ${bytesText(exported.bytes)}  ${exported.path}\n` +
        `sha256  ${exported.sha256}\n`,
  );
  return exit.ok;
}

function modelsIn(state: string) {
  using archive = new Archive(state);
  const records = new Map(archive.records.history().map((record) => [record.round, record]));
  return archive.models().map(({ round, bytes, path }) => ({
    round,
    bytes,
    /** Empty for the model that the run began with. */
    sha256: records.get(round)?.sha256 ?? "",
    evaluation: records.get(round)?.evaluation ?? {},
    path,
  }));
}

function view(models: ReturnType<typeof modelsIn>, io: Io): string {
  return table(models, [
    { title: "round", text: ({ round }) => String(round), align: "right" },
    { title: "bytes", text: ({ bytes }) => bytesText(bytes), align: "right" },
    {
      title: "accuracy",
      text: ({ evaluation }) => evaluation.accuracy?.toFixed(4) ?? "-",
      align: "right",
    },
    { title: "sha256", text: ({ sha256 }) => sha256.slice(0, 12) || "-" },
    { title: "file", text: ({ path }) => path },
  ], io.stdout);
}

async function exportModel(
  { state, round, out }: { state: string; round: string; out: string },
): Promise<{ round: number; bytes: number; sha256: string; path: string }> {
  const models = reading(state, () => modelsIn(state));
  const model = round === "newest"
    ? models.at(-1)
    : models.find((each) => String(each.round) === round);
  if (model === undefined) {
    const kept = models.map((each) => each.round).join(", ") || "none";
    throw new OperatorError(
      `${state} keeps no model of round ${JSON.stringify(round)}; those it keeps: ${kept}`,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(model.path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Failure(`The run has let the model of round ${model.round} go meanwhile`);
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (model.sha256 !== "" && sha256 !== model.sha256) {
    throw new Failure(`${model.path} is damaged: its SHA-256 is not that of the ledger`);
  }
  try {
    await writeModel(out, bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`--out names ${out}, which cannot be written: ${reason}`);
  }
  return { round: model.round, bytes: bytes.length, sha256, path: out };
}
