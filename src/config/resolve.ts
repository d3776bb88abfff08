/** Settings from several sources become one validated configuration. */

import type * as z from "zod";
import { ConfigError } from "./config_error.ts";
import { expectation } from "./expectation.ts";
import { type Field, type Shape, snake } from "./fields.ts";
import type { Given, Reading } from "./given.ts";
import { nearest } from "./nearest.ts";

/** A configuration and where its values came from. */
export interface Resolved<Config> {
  readonly config: Config;
  /** By `Field.key`; a setting that is not in here has its default. */
  readonly given: ReadonlyMap<string, Given>;
}

/**
 * Merges readings, a later one above an earlier one (records name by name), and validates.
 * @throws {ConfigError} with a sentence for each thing to change.
 */
export function resolve<Schema extends z.ZodType>(
  schema: Schema,
  fields: readonly Field[],
  readings: readonly Reading[],
): Resolved<z.output<Schema>> {
  const sentences = readings.flatMap((reading) => reading.sentences);
  const given = new Map<string, Given>();
  for (const one of readings.flatMap((reading) => reading.given)) {
    const { key } = one.field;
    given.set(key, { ...one, value: merged(given.get(key)?.value, one.value) });
  }
  const result = schema.safeParse(nested([...given.values()]));
  if (!result.success) {
    // One sentence a setting: its first issue is the one nearest to what was written.
    const seen = new Set<string>();
    for (const issue of result.error.issues) {
      const field = fieldOf(issue.path, fields);
      const key = field?.key ?? issue.path.map(String).map(snake).join(".");
      if (seen.has(key)) continue;
      seen.add(key);
      sentences.push(
        field === undefined
          ? `The settings of [${key}] do not fit together: ${issue.message}`
          : sentenceFor(issue, { field, given: given.get(key) }),
      );
    }
  }
  if (!result.success || sentences.length > 0) throw new ConfigError(sentences);
  return { config: result.data, given };
}

/** Where a setting was given, or the flag that would set it. */
export function whereSet(key: string, fields: readonly Field[], given: Resolved<unknown>["given"]) {
  const field = fields.find((candidate) => candidate.key === key);
  if (field === undefined) throw new RangeError(`Cannot find the setting ${key}: there is none`);
  return given.get(key)?.where ?? `--${field.flag}`;
}

function merged(below: unknown, above: unknown): unknown {
  return isRecord(below) && isRecord(above) ? { ...below, ...above } : above;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nested(given: readonly Given[]): Record<string, unknown> {
  const top: Record<string, unknown> = {};
  for (const { field, value } of given) {
    let section = top;
    for (const key of field.path.slice(0, -1)) {
      section = (section[key] ??= {}) as Record<string, unknown>;
    }
    section[field.path.at(-1) ?? ""] = value;
  }
  return top;
}

function fieldOf(path: readonly PropertyKey[], fields: readonly Field[]): Field | undefined {
  return fields.find((field) => field.path.every((key, depth) => key === path[depth]));
}

function sentenceFor(
  issue: z.core.$ZodIssue,
  { field, given }: { field: Field; given: Given | undefined },
): string {
  const subject = `${given?.where ?? `--${field.flag}`} is ${
    field.shape.secret ? "given" : shown(given?.value)
  }`;
  if (issue.code === "custom" && field.shape.takes === undefined) {
    return `${subject}, but ${issue.message}`;
  }
  const hint = nearestChoice(issue, field, given?.value);
  return `${subject}, but must be ${expectation(field.shape)}` +
    (hint === undefined ? "" : `; did you mean ${hint}?`);
}

/** Of a setting with a fixed choice, the word that was most likely meant. */
function nearestChoice(
  issue: z.core.$ZodIssue,
  field: Field,
  value: unknown,
): string | undefined {
  const choices = choicesOf(field.shape).map(String);
  const index = issue.path[field.path.length];
  const word = Array.isArray(value) && typeof index === "number" ? value[index] : value;
  return typeof word === "string" ? nearest(word, choices) : undefined;
}

function choicesOf(shape: Shape): readonly unknown[] {
  return shape.enum ?? shape.items?.enum ?? [];
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify(value.map(plain).join(","));
  return value === undefined ? "not set" : JSON.stringify(plain(value));
}

/** JSON knows no bigint, NaN or date. */
function plain(value: unknown): unknown {
  return typeof value === "bigint" || typeof value === "number" && !Number.isFinite(value)
    ? String(value)
    : value;
}
