/** Shells that really complete: what each offers for a line that is being typed. */

import assert from "node:assert/strict";
import { join } from "node:path";

export interface Shell {
  readonly name: string;
  /** The words it offers, sorted. @param script Its completions, a file. */
  offers(script: string, line: string): Promise<string[]>;
}

/** Whether a shell is there to be tested with. */
export function isInstalled(shell: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(join(folder, shell)).isFile;
    } catch {
      return false;
    }
  });
}

/** The words and the place of the cursor, as bash hands them to a completion. */
const BASH = `
source "$1"
COMP_WORDS=(\${2}) COMP_CWORD=\${#COMP_WORDS[@]}
[[ $2 == *' ' ]] && COMP_WORDS+=('') || ((COMP_CWORD--))
$(complete -p tributary | sed -E 's/.*-F ([^ ]+).*/\\1/')
((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"
exit 0
`;

/**
 * zsh completes in its line editor alone, so it is given a terminal. What a completion adds is
 * printed between angles; with -O, -A or -D it adds nothing, and only asks what would fit.
 */
const ZSH = `
zmodload zsh/zpty || exit 1
zpty shell zsh -f -i
zpty -w shell "PROMPT= RPROMPT=; stty -echo
autoload -Uz compinit; compinit -u -D; source $1; bindkey '^I' complete-word
compadd() {
  if [[ \\" \\$* \\" != *' -'[OAD]' '* ]]; then
    local -a hits; builtin compadd -A hits \\"\\$@\\"; printf '<%s>\n' \\$hits
  fi
  builtin compadd \\"\\$@\\"
}
finish() { print '<<end>>'; exit; }
comppostfuncs=(finish); print 'rea''dy'"
local text
while zpty -r shell text; do [[ $text == *ready* ]] && break; done
zpty -w -n shell "$2"$'\\t'
while zpty -r shell text; do print -rn -- "$text"; [[ $text == *'<<end>>'* ]] && break; done
zpty -d shell
`;

export const shells: readonly Shell[] = [
  {
    name: "bash",
    offers: async (script, line) =>
      sorted(await said("bash", ["--norc", "-c", BASH, "-", script, line])),
  },
  {
    name: "zsh",
    offers: async (script, line) => {
      const text = await said("zsh", ["-f", "-c", ZSH, "-", script, line]);
      return sorted([...text.matchAll(/<([^<>\n]+)>/g)].map(([, hit = ""]) => hit).join("\n"))
        .filter((word) => word !== "end");
    },
  },
  {
    name: "fish",
    offers: async (script, line) => {
      const text = await said("fish", [
        "--no-config",
        "-c",
        'source $argv[1]; complete -C "$argv[2]"',
        script,
        line,
      ]);
      return sorted(text.replaceAll(/\t.*/g, ""));
    },
  },
];

function sorted(text: string): string[] {
  return [...new Set(text.split("\n").map((line) => line.trim()).filter((line) => line !== ""))]
    .sort();
}

async function said(shell: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(shell, {
    args,
    stdin: "null",
    env: { TERM: "dumb", HOME: "/nonexistent" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(code, 0, text(stderr));
  return text(stdout);
}
