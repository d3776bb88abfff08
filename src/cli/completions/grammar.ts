/** What may be typed after `tributary`, read off the verbs' own command lines. */

import type { Argument, Command, Option } from "commander";
import type { Io } from "../io.ts";
import type { Verbs } from "../program.ts";

/** What an option's value is. */
export type Value =
  /** One of these words. */
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" }
  | { readonly kind: "directory" }
  | { readonly kind: "text" };

export interface CompletedOption {
  /** As they are typed: `--format`, `-h`. */
  readonly names: readonly string[];
  readonly meaning: string;
  /** Undefined for one that takes none. */
  readonly value: Value | undefined;
}

/** A verb, or a word after it that has options of its own. */
export interface CompletedVerb {
  readonly name: string;
  readonly meaning: string;
  readonly options: readonly CompletedOption[];
  /** Words that may come next. */
  readonly words: readonly CompletedWord[];
}

export interface CompletedWord {
  readonly name: string;
  readonly meaning: string;
}

/** Loads every verb; none is run. */
export async function grammarOf(verbs: Verbs, io: Io): Promise<readonly CompletedVerb[]> {
  return await Promise.all(
    Object.entries(verbs).map(async ([name, { summary, load }]) => {
      const command = (await load()).command(io);
      // The options of a verb's second word are the verb's: no two words differ in them.
      const all = [command, ...command.commands];
      return {
        name,
        meaning: summary,
        options: uniqueOf(all.flatMap(optionsOf)),
        words: [
          ...command.commands.map((inner) => ({
            name: inner.name(),
            meaning: inner.summary() || firstSentence(inner.description()),
          })),
          ...command.registeredArguments.slice(0, 1).flatMap(wordsOf),
        ],
      };
    }),
  );
}

function optionsOf(command: Command): CompletedOption[] {
  return command.createHelp().visibleOptions(command).map(optionOf);
}

function uniqueOf(options: readonly CompletedOption[]): CompletedOption[] {
  return [...new Map(options.map((option) => [option.names.join(), option])).values()];
}

function optionOf(option: Option): CompletedOption {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  return { names, meaning: option.description, value: valueOf(option) };
}

/** The help's placeholder says it: `<text|json>`, `<mqtt|amqp,...>`, `<file>`, `<dir>`, `<n>`. */
function valueOf({ flags, required, optional }: Option): Value | undefined {
  if (!required && !optional) return undefined;
  const [, placeholder = ""] = /[<[]([^>\]]*)[>\]]/.exec(flags) ?? [];
  if (placeholder === "dir") return { kind: "directory" };
  if (placeholder === "file" || placeholder === "spec") return { kind: "file" };
  if (!placeholder.includes("|")) return { kind: "text" };
  return { kind: "words", words: placeholder.replace(/,\.\.\.$/, "").split("|") };
}

function wordsOf({ argChoices = [], description }: Argument): CompletedWord[] {
  return argChoices.map((name) => ({ name, meaning: description }));
}

function firstSentence(text: string): string {
  return text.split(/(?<=\.) /, 1)[0]?.replace(/\.$/, "") ?? "";
}
