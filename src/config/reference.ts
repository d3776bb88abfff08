/** The reference of all settings, as the README carries it. */

import { fields } from "../config.ts";
import { STRATEGIES } from "../strategies/mod.ts";
import { expectation } from "./expectation.ts";
import { type Field, fieldsOf } from "./fields.ts";
import { tomlLine } from "./toml.ts";

const BEGIN = "<!-- settings: written by `deno task reference` -->";
const END = "<!-- end of settings -->";

/** Markdown tables of every setting and of every strategy's options. */
export function referenceTable(): string {
  const settings = fields.map((field) => [
    `\`${field.key}\``,
    flagOf(field),
    ...valueCells(field),
  ]);
  const options = Object.entries(STRATEGIES).flatMap(([name, entry]) =>
    fieldsOf(entry.options).map((field) => [name, `\`${field.key}\``, ...valueCells(field)])
  );
  return markdown(["setting", "flag", "takes", "default", "meaning"], settings) + "\n" +
    markdown(["strategy", "option", "takes", "default", "meaning"], options);
}

function valueCells(field: Field): string[] {
  return [expectation(field.shape), fallbackOf(field), field.meaning];
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = [head, head.map(() => "---"), ...rows];
  return table.map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n") + "\n";
}

/**
 * The README with the reference between its two marks brought up to date.
 * @throws {SyntaxError} when the marks are not there.
 */
export function withReference(readme: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin === -1 || end < begin) {
    throw new SyntaxError(`Cannot place the reference: no lines ${BEGIN} and ${END}`);
  }
  return `${readme.slice(0, begin)}${BEGIN}\n\n${referenceTable()}\n${readme.slice(end)}`;
}

function flagOf({ flag, shape }: Field): string {
  return shape.type === "boolean" ? `\`--${flag}\`, \`--no-${flag}\`` : `\`--${flag}\``;
}

function fallbackOf({ shape }: Field): string {
  if (shape.default === undefined) return "not set";
  return `\`${tomlLine("", shape.default).replace(/^("")? = /, "")}\``;
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
