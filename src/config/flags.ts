/** Settings from command line flags. */

import type { Field } from "./fields.ts";
import { type Given, type Reading, valueOfText } from "./given.ts";

/** Flag name without dashes -> its text, or what a flag without a text says. */
export type Flags = Readonly<Record<string, string | boolean>>;

/**
 * Reads flags that a command line parser has already matched with `fields`.
 * @throws {RangeError} for a flag that is none of them.
 */
export function readFlags(flags: Flags, fields: readonly Field[]): Reading {
  const byFlag = new Map(fields.map((field) => [field.flag, field]));
  const given: Given[] = Object.entries(flags).map(([flag, text]) => {
    const field = byFlag.get(flag);
    if (field === undefined) {
      throw new RangeError(`Cannot read --${flag}: no setting has this flag`);
    }
    const value = typeof text === "string" ? valueOfText(text, field.shape) : text;
    return { field, value, where: value === false ? `--no-${flag}` : `--${flag}` };
  });
  return { given, sentences: [] };
}
