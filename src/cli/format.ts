/**
 * `--format` of the verbs that show something. The rule is one for all: json makes standard output
 * one JSON document on one line; what else there is to say goes to standard error.
 */

import { Option } from "commander";
import { printableJson } from "../printable.ts";
import { OperatorError } from "./exit.ts";

const FORMATS = ["text", "json"] as const;

export type Format = (typeof FORMATS)[number];

/** @param meaning What text and what json is here. */
export function formatOption(meaning: string): Option {
  return new Option(`--format <${FORMATS.join("|")}>`, meaning).default("text").argParser(formatOf);
}

/** The one document. */
export function jsonDocument(value: unknown): string {
  return `${printableJson(value)}\n`;
}

function formatOf(text: string): Format {
  const format = FORMATS.find((each) => each === text);
  if (format !== undefined) return format;
  throw new OperatorError(
    `--format is ${JSON.stringify(text)}, but must be ${FORMATS.join(" or ")}`,
  );
}
