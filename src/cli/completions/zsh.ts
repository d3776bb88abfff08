/** The grammar for zsh: a function that calls `_arguments`, as zsh's own completions do. */

import type { CompletedOption, CompletedVerb, Value } from "./grammar.ts";

export function zshScript(program: string, verbs: readonly CompletedVerb[]): string {
  const described = verbs.map(({ name, meaning }) => `    ${quoted(`${name}:${colons(meaning)}`)}`);
  return `#compdef ${program}
# ${program}'s completions for zsh. To have them in every shell: put
#   source <(${program} completions zsh)
# behind compinit into ~/.zshrc, or this text as _${program} into a folder of $fpath.
_${program}() {
  local -a verbs=(
${described.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe verb verbs
    _arguments '(-h --help)'{-h,--help}'[show this help]' '(-v --version)'{-v,--version}'[show the version]'
    return
  fi
  local verb=$words[2]
  shift words
  ((CURRENT--))
  case $verb in
${verbs.map(verbCase).join("\n")}
    help) _describe verb verbs ;;
  esac
}
if [[ $funcstack[1] == _${program} ]]; then
  _${program} "$@" # loaded from $fpath
else
  compdef _${program} ${program}
fi
`;
}

function verbCase({ name, options, words }: CompletedVerb): string {
  const specs = [
    ...options.flatMap(specsOf),
    ...(words.length === 0 ? [] : [quoted(`1:word:(${words.map((word) => word.name).join(" ")})`)]),
  ];
  return `    ${name})\n      _arguments \\\n        ${specs.join(" \\\n        ")}\n      ;;`;
}

/** One for each name; none is offered again once one of them was given. */
function specsOf({ names, meaning, value }: CompletedOption): string[] {
  const excluded = names.length > 1 ? `(${names.join(" ")})` : "";
  const text = meaning.replace(/[[\]\\]/g, "\\$&");
  const action = value === undefined ? "" : `:value:${actionOf(value)}`;
  return names.map((name) => quoted(`${excluded}${name}[${text}]${action}`));
}

function actionOf(value: Value): string {
  switch (value.kind) {
    case "words":
      return `(${value.words.join(" ")})`;
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "text":
      return " ";
    default:
      return value satisfies never;
  }
}

function colons(text: string): string {
  return text.replaceAll(":", "\\:");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
