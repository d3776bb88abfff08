/** A verb's command line, read with commander; its errors become sentences. */

import { Argument, Command, CommanderError } from "commander";
import { Answered, OperatorError } from "./exit.ts";
import { helpLayout } from "./help_layout.ts";
import type { Io } from "./io.ts";
import { paint } from "./paint.ts";

export interface CommandText {
  /** As it is typed: `tributary serve`. */
  readonly name: string;
  readonly description: string;
  /** Lines to copy, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
}

/** A command without options yet, which writes to `io` and never ends the process. */
export function makeCommand(text: CommandText, io: Io): Command {
  const { stdout } = io;
  const command = new Command(text.name)
    .description(text.description)
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureHelp(helpLayout(stdout))
    .configureOutput({
      writeOut: (help) => stdout.write(help),
      writeErr: () => {},
      outputError: () => {}, // `parse` makes a sentence of it
      getOutHelpWidth: () => Math.min(stdout.columns, 110),
      getOutHasColors: () => stdout.colours,
    });
  return command.addHelpText("after", () => `\n${examplesText(text.examples, stdout)}`);
}

function examplesText(
  examples: CommandText["examples"],
  output: { readonly colours: boolean },
): string {
  const lines = examples.map(([line, does]) =>
    `  ${paint(output, "faint", `# ${does}`)}\n  ${line}`
  );
  return `${paint(output, "strong", "Examples:")}\n${lines.join("\n")}`;
}

/** An argument that is one fixed word, as it stands between the brackets; whoever reads it, checks it. */
export function wordArgument(name: string, meaning: string): Argument {
  const argument = new Argument(name, meaning);
  argument.argChoices = argument.name().split("|");
  return argument;
}

/**
 * Reads a command line into `command.opts()` and `command.args`.
 * @throws {OperatorError} for one that does not fit.
 * @throws {Answered} when the help was asked for and written.
 */
export async function parse(command: Command, args: readonly string[]): Promise<void> {
  try {
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw new Answered();
    throw new OperatorError(`${sentenceOf(error)}; see \`${command.name()} --help\``);
  }
}

/** `error: unknown option '--round'\n(Did you mean --rounds?)` -> one sentence. */
function sentenceOf(error: CommanderError): string {
  const [first = "", hint = ""] = error.message.replace(/^error: /, "").split("\n");
  const meant = /^\(Did you mean (.*)\?\)$/.exec(hint)?.[1];
  const sentence = (first.charAt(0).toUpperCase() + first.slice(1)).replace(/\.$/, "");
  return meant === undefined ? sentence : `${sentence} (did you mean ${meant}?)`;
}
