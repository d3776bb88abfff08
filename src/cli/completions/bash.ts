/** The grammar for bash: a function for `complete`, and compgen's words. */

import type { CompletedVerb, Value } from "./grammar.ts";

export function bashScript(program: string, verbs: readonly CompletedVerb[]): string {
  const verbNames = verbs.map(({ name }) => name);
  return `# ${program}'s completions for bash. To have them in every shell: put
#   source <(${program} completions bash)
# into ~/.bashrc.
_${program}() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} options= words= name=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${verbNames.join(" ")} --help --version' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${verbs.map(verbCase).join("\n")}
    help) words='${verbNames.join(" ")}' ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [[ -n $words ]] && ((COMP_CWORD == 2)); then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
complete -F _${program} ${program}
`;
}

function verbCase({ name, options, words }: CompletedVerb): string {
  const values = options.flatMap(({ names, value }) =>
    value === undefined ? [] : [`        ${names.join(" | ")}) ${replies(value)} return ;;`]
  );
  return `    ${name})
      case $previous in
${values.join("\n")}
      esac
      options='${options.flatMap(({ names }) => names).join(" ")}'
      words='${words.map((word) => word.name).join(" ")}'
      ;;`;
}

/**
 * A file's name may have spaces and be a pattern: each line is one, nothing is expanded, and
 * -o filenames quotes it. macOS has bash 3.2, without mapfile.
 */
function names(kind: "-d" | "-f"): string {
  return "compopt -o filenames 2>/dev/null; " +
    'while IFS= read -r name; do COMPREPLY+=("$name"); ' +
    `done < <(compgen ${kind} -- "$word");`;
}

function replies(value: Value): string {
  switch (value.kind) {
    case "words":
      return `COMPREPLY=($(compgen -W '${value.words.join(" ")}' -- "$word"));`;
    case "file":
      return names("-f");
    case "directory":
      return names("-d");
    case "text":
      return "";
    default:
      return value satisfies never;
  }
}
