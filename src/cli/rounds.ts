/** `tributary rounds`: the rounds of a run, with whose updates made each model. */

import type { Command } from "commander";
import { Archive } from "../vault/archive.ts";
import { makeArchiveCommand, parseArchive, reading } from "./archive_command.ts";
import { exit, type ExitCode } from "./exit.ts";
import { jsonDocument } from "./format.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

export function command(io: Io): Command {
  return makeArchiveCommand({
    name: "tributary rounds",
    description: "Lists the rounds of a run, the open one too. Changes nothing.",
    examples: [
      ["tributary rounds --state run1", "a table"],
      ["tributary rounds --state run1 --format json", "with every update and all metrics"],
    ],
  }, io);
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const { state, json } = await parseArchive(command(io), args);
  const rounds = reading(state, () => roundsIn(state));
  if (json) io.stdout.write(jsonDocument(rounds));
  else io.stdout.write(view(rounds, io) || "No round has begun.\n");
  return exit.ok;
}

function roundsIn(state: string) {
  using archive = new Archive(state);
  const { records } = archive;
  const updatesOf = (round: number) =>
    records.updates(round).map(({ client, taskId, kind, samples, metrics }) => ({
      client,
      task_id: taskId,
      kind,
      samples,
      metrics,
    }));
  const closed = records.history().map((record) => ({
    round: record.round,
    stage: "closed",
    clients: record.clients,
    samples: record.samples,
    training: record.training,
    evaluation: record.evaluation,
    seconds: record.seconds,
    model_sha256: record.sha256,
    updates: updatesOf(record.round),
  }));
  const open = records.unsaved().map(({ round, stage }) => {
    const updates = updatesOf(round);
    return {
      round,
      stage,
      clients: updates.map(({ client }) => client),
      samples: updates.reduce((sum, { samples }) => sum + samples, 0),
      training: {},
      evaluation: {},
      seconds: 0,
      model_sha256: "",
      updates,
    };
  });
  return [...closed, ...open];
}

function view(rounds: ReturnType<typeof roundsIn>, io: Io): string {
  const metric = (metrics: Readonly<Record<string, number>>, name: string) =>
    metrics[name]?.toFixed(4) ?? "-";
  return table(rounds, [
    { title: "round", text: ({ round }) => String(round), align: "right" },
    { title: "stage", text: ({ stage }) => stage },
    { title: "clients", text: ({ clients }) => String(clients.length), align: "right" },
    { title: "samples", text: ({ samples }) => String(samples), align: "right" },
    { title: "loss", text: ({ evaluation }) => metric(evaluation, "loss"), align: "right" },
    { title: "accuracy", text: ({ evaluation }) => metric(evaluation, "accuracy"), align: "right" },
    { title: "seconds", text: ({ seconds }) => seconds.toFixed(1), align: "right" },
    { title: "model", text: (round) => round.model_sha256.slice(0, 12) || "-" },
  ], io.stdout);
}
