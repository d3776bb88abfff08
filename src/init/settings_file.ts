/** The settings file that `tributary init` writes: every setting with its default, commented out. */

import { fields } from "../config.ts";
import { expectation } from "../config/expectation.ts";
import { type Field, fieldsOf } from "../config/fields.ts";
import { tomlLine } from "../config/toml.ts";
import { STRATEGIES } from "../strategies/mod.ts";

const COLUMNS = 100;

const HEAD = `\
# Settings of a Tributary server: tributary serve --config tributary.toml
#
# \`#name = value\` is a default: remove the # to change it.
# \`# name =\` has no default: remove the # and give it a value.
# A flag or an environment variable, named with each setting, is above this file.
# \`tributary serve --config tributary.toml --print-config\` shows what holds, and starts nothing.
`;

/** By the end of a setting's name. */
const UNITS: readonly (readonly [ending: RegExp, unit: string])[] = [
  [/_ms$/, "milliseconds"],
  [/_s$/, "seconds"],
  [/_bytes(_|$)/, "bytes"],
  [/_days$/, "days"],
];

/**
 * The whole file. Read as it is, it sets nothing; read with the # taken from every line that starts
 * with # and no blank, it sets every default.
 */
export function settingsFile(): string {
  const parts: string[] = [HEAD];
  let section = "";
  for (const field of fields) {
    const path = field.key.split(".");
    const name = path.pop() ?? "";
    if (path.join(".") !== section) {
      section = path.join(".");
      parts.push(`[${section}]\n`); // not commented out: what is set below belongs to it
    }
    parts.push(settingLines(field, name));
  }
  return parts.join("\n");
}

function settingLines(field: Field, name: string): string {
  const { shape } = field;
  const lines = [
    ...comment(field.meaning),
    ...comment(`Takes ${takes(field)}; --${field.flag} or ${field.env}`),
    ...(shape.secret ? comment("A secret: keep this file from others") : []),
    ...(field.key === "strategy.options" ? strategyOptions() : []),
    shape.default === undefined ? `# ${name} =` : `#${tomlLine(name, shape.default)}`,
  ];
  return lines.join("\n") + "\n";
}

/** `a whole number from 0 to 604800000, in milliseconds`. */
function takes({ key, shape }: Field): string {
  const unit = UNITS.find(([ending]) => ending.test(key))?.[1];
  return expectation(shape) + (unit === undefined ? "" : `, in ${unit}`);
}

function strategyOptions(): string[] {
  return Object.entries(STRATEGIES).flatMap(([name, { options }]) =>
    fieldsOf(options).flatMap((field) =>
      comment(
        `${name}: ${tomlLine(field.key, field.shape.default)}, ${expectation(field.shape)}: ` +
          field.meaning,
      )
    )
  );
}

/** As many lines as it takes. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(/\s+/)) {
    if (line.length + 1 + word.length > COLUMNS && line !== "#") {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
