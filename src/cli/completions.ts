/** `tributary completions`: what a shell offers when Tab is pressed, generated from the verbs' options. */

import type { Command } from "commander";
import { makeCommand, parse } from "./command.ts";
import { bashScript } from "./completions/bash.ts";
import { fishScript } from "./completions/fish.ts";
import { type CompletedVerb, grammarOf } from "./completions/grammar.ts";
import { zshScript } from "./completions/zsh.ts";
import { exit, type ExitCode, OperatorError } from "./exit.ts";
import type { Io } from "./io.ts";
import { verbs } from "./verbs.ts";

const PROGRAM = "tributary";

type Script = (program: string, verbs: readonly CompletedVerb[]) => string;

const SCRIPTS: Readonly<Record<string, Script>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};
const SHELLS = Object.keys(SCRIPTS);

export function command(io: Io): Command {
  const verb = makeCommand({
    name: "tributary completions",
    description: "Prints what a shell needs to complete verbs, options and their choices.",
    examples: [
      ["source <(tributary completions bash)", "in ~/.bashrc"],
      ["source <(tributary completions zsh)", "in ~/.zshrc, behind compinit"],
      ["tributary completions fish > ~/.config/fish/completions/tributary.fish", "once"],
    ],
  }, io).argument("<shell>", `${SHELLS.join(", ")}`);
  for (const argument of verb.registeredArguments) argument.argChoices = SHELLS;
  return verb;
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const [shell = ""] = asked.args;
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined; // not `toString`
  if (script === undefined) {
    throw new OperatorError(
      `${JSON.stringify(shell)} is no shell that completions are for; name ${SHELLS.join(", ")}`,
    );
  }
  io.stdout.write(script(PROGRAM, await grammarOf(verbs, io)));
  return exit.ok;
}
