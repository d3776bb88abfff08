/** `tributary runs`: what state directories hold. */

import type { Command } from "commander";
import { Archive, runsIn } from "../vault/archive.ts";
import { makeArchiveCommand, parseArchive, reading } from "./archive_command.ts";
import { exit, type ExitCode } from "./exit.ts";
import { jsonDocument } from "./format.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

export function command(io: Io): Command {
  return makeArchiveCommand({
    name: "tributary runs",
    description: "Lists the runs that state directories hold. Changes nothing.",
    examples: [
      ["tributary runs --state run1", "one run"],
      ["tributary runs --state . --format json", "every run in this directory, for a program"],
    ],
  }, io);
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const { state, json } = await parseArchive(command(io), args);
  const runs = reading(state, () => runsIn(state).flatMap(runOf));
  if (json) io.stdout.write(jsonDocument(runs));
  else io.stdout.write(view(runs, io) || `No run is in ${state}.\n`);
  return exit.ok;
}

/** None where a server has only just made the ledger. */
function runOf(directory: string) {
  using archive = new Archive(directory);
  const { records } = archive;
  const run = records.run();
  if (run === undefined) return [];
  const ending = records.ending()?.sentence;
  const open = records.unsaved().at(-1);
  return [{
    directory,
    run_id: run.runId,
    name: run.name,
    state: run.finished !== undefined ? "over" : ending !== undefined ? "ending" : "unfinished",
    reason: run.finished ?? ending ?? "",
    rounds: records.record()?.round ?? 0,
    open_round: open === undefined ? null : {
      round: open.round,
      clients: open.assigned.length,
      updates: records.updates(open.round).length,
    },
    confirmed: records.confirmed(),
    contributors: [...new Set(records.history().flatMap(({ clients }) => clients))].sort(),
    clients: records.sessions().map(({ client, samples, software, labels, ...session }) => ({
      client,
      samples,
      software,
      labels,
      present: session.present,
      converged: session.converged,
    })),
  }];
}

/** Those with a session, and those who have left since they contributed. */
function clientsOf({ clients, contributors }: ReturnType<typeof runOf>[number]): Set<string> {
  return new Set([...contributors, ...clients.map(({ client }) => client)]);
}

function view(runs: ReturnType<typeof runOf>, io: Io): string {
  return table(runs, [
    { title: "run", text: (run) => run.run_id },
    { title: "name", text: ({ name }) => name },
    { title: "state", text: ({ state }) => state },
    { title: "rounds", text: ({ rounds }) => String(rounds), align: "right" },
    { title: "clients", text: (run) => String(clientsOf(run).size), align: "right" },
    { title: "directory", text: ({ directory }) => directory },
    { title: "ends as", text: ({ reason }) => reason || "-" },
  ], io.stdout);
}
