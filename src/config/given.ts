/** Settings as they were given, from a source that knows their names but judges no values. */

import { valuesOf } from "./expectation.ts";
import type { Field, Shape } from "./fields.ts";

/** A value somebody gave to a setting. */
export interface Given {
  readonly field: Field;
  readonly value: unknown;
  /** Where, as the subject of a sentence: `--rounds`, `training.rounds in a.toml line 7`. */
  readonly where: string;
}

/** What one source yields. */
export interface Reading {
  readonly given: readonly Given[];
  /** What is wrong with names and syntax, a sentence each. */
  readonly sentences: readonly string[];
}

/**
 * The value that a text on the command line or in the environment stands for. A text that fits no
 * type of the setting stays text, for the schema to refuse.
 */
export function valueOfText(text: string, shape: Shape): unknown {
  if (shape.properties === undefined && includesType(shape, "object")) return pairs(text, shape);
  if (includesType(shape, "array")) {
    const items = text === "" ? [] : text.split(",");
    return items.map((item) => valueOfText(item.trim(), shape.items ?? {}));
  }
  if (includesType(shape, "number") || includesType(shape, "integer")) {
    if (/^[+-]?\d[\d_]*(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return Number(text.replaceAll("_", ""));
  }
  if (includesType(shape, "boolean")) {
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
  }
  return text;
}

function includesType(shape: Shape, type: string): boolean {
  if (shape.anyOf !== undefined) return shape.anyOf.some((one) => includesType(one, type));
  return Array.isArray(shape.type) ? shape.type.includes(type) : shape.type === type;
}

/** `epochs=2,learning_rate=0.1`; a text of another form stays text. */
function pairs(text: string, shape: Shape): unknown {
  const entries: [string, unknown][] = [];
  for (const pair of text.split(",")) {
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) return text;
    entries.push([name, valueOfText(value, valuesOf(shape))]);
  }
  return Object.fromEntries(entries);
}
