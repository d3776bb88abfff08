/** `tributary doctor`: what would keep a server with these settings from its work, and what to do. */

import type { Command } from "commander";
import { printable } from "../printable.ts";
import { makeCommand, parse } from "./command.ts";
import { addConfigFlags, configOf } from "./config_flags.ts";
import { examine } from "./doctor/examination.ts";
import type { Finding, State } from "./doctor/finding.ts";
import { exit, type ExitCode, Failure } from "./exit.ts";
import { type Format, formatOption, jsonDocument } from "./format.ts";
import type { Io, Output } from "./io.ts";
import { type Look, paint } from "./paint.ts";
import { table } from "./table.ts";

export function command(io: Io): Command {
  const verb = makeCommand({
    name: "tributary doctor",
    description:
      "Looks for what would keep a server with these settings from its work. Takes the options of " +
      "serve, starts nothing, and ends with 2 where something has failed.",
    examples: [
      ["tributary doctor --state run1", "can a server start here?"],
      ["tributary doctor --config tributary.toml --format json", "the same, for a program"],
    ],
  }, io).addOption(formatOption("a table for people, or JSON on one line"));
  return addConfigFlags(verb);
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const { format } = asked.opts<{ format: Format }>();
  const resolved = await configOf(asked, io);
  if (resolved === undefined) return exit.ok;
  const { config, given } = resolved;
  let checks: readonly Finding[];
  try {
    checks = await examine(config, { mandatory: given.has("protocols"), signal: io.signal });
  } catch (error) {
    if (io.signal.aborted) throw new Failure("Stopped before all was looked at", { cause: error });
    throw error;
  }
  const count = (state: State) => checks.filter((each) => each.state === state).length;
  const [failures, warnings] = [count("failed"), count("warning")];
  io.stdout.write(
    format === "json"
      ? jsonDocument({ ok: failures === 0, failed: failures, warnings, checks })
      : view(checks, io.stdout),
  );
  return failures === 0 ? exit.ok : exit.usage;
}

const LOOKS: Readonly<Record<State, Look>> = { ok: "good", warning: "warn", failed: "bad" };

/** What was seen as a table, and below it what to do. */
function view(checks: readonly Finding[], output: Output): string {
  const seen = table(checks, [
    { title: "check", text: ({ check }) => check },
    { title: "state", text: ({ state }) => state, look: ({ state }) => LOOKS[state] },
    { title: "seen", text: (finding) => finding.seen },
  ], output);
  const wrong = checks.filter(({ state }) => state !== "ok");
  if (wrong.length === 0) return `${seen}\nNothing is in the way of a server.\n`;
  const width = Math.max(...wrong.map(({ check }) => check.length));
  const todo = wrong.map(({ check, state, todo }) =>
    `${paint(output, LOOKS[state], check.padEnd(width))}  ${printable(todo)}\n`
  );
  return `${seen}\n${paint(output, "strong", "What to do")}\n${todo.join("")}`;
}
