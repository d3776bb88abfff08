/** The grammar for fish: a `complete` line for each thing that may be typed. */

import type { CompletedOption, CompletedVerb, Value } from "./grammar.ts";

export function fishScript(program: string, verbs: readonly CompletedVerb[]): string {
  const complete = `complete -c ${program}`;
  const names = verbs.map(({ name }) => name).join(" ");
  return [
    `# ${program}'s completions for fish. To have them in every shell:`,
    `#   ${program} completions fish > ~/.config/fish/completions/${program}.fish`,
    `${complete} -f`,
    ...verbs.map(({ name, meaning }) =>
      `${complete} -n __fish_use_subcommand -a ${name} -d ${quoted(meaning)}`
    ),
    `${complete} -n __fish_use_subcommand -s h -l help -d 'show this help'`,
    `${complete} -n __fish_use_subcommand -s v -l version -d 'show the version'`,
    `${complete} -n '__fish_seen_subcommand_from help' -a ${quoted(names)}`,
    ...verbs.flatMap((verb) => linesOf(verb, complete)),
    "",
  ].join("\n");
}

function linesOf({ name, options, words }: CompletedVerb, complete: string): string[] {
  const after = `${complete} -n '__fish_seen_subcommand_from ${name}'`;
  return [
    ...words.map((word) => `${after} -a ${word.name} -d ${quoted(word.meaning)}`),
    ...options.map((option) => `${after} ${flags(option)} -d ${quoted(option.meaning)}`),
  ];
}

function flags({ names, value }: CompletedOption): string {
  const named = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`
  );
  return [...named, ...(value === undefined ? [] : [valueFlags(value)])].join(" ");
}

/** -x: a value, and no file; -r: a value, which may be a file; -F: files although the verb takes none. */
function valueFlags(value: Value): string {
  switch (value.kind) {
    case "words":
      return `-x -a ${quoted(value.words.join(" "))}`;
    case "file":
      return "-r -F";
    case "directory":
      return `-x -a '(__fish_complete_directories)'`;
    case "text":
      return "-x";
    default:
      return value satisfies never;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
