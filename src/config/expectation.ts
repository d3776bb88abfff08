/** What a setting takes, in words: the same for error sentences, the help and the reference table. */

import type { Shape } from "./fields.ts";

/** `a whole number from 1 to 65535`, `one of text, json`, ... */
export function expectation(shape: Shape): string {
  if (shape.takes !== undefined) return shape.takes;
  if (shape.anyOf !== undefined) return shape.anyOf.map(expectation).join(" or ");
  if (shape.enum !== undefined) return `one of ${shape.enum.join(", ")}`;
  if (Array.isArray(shape.type)) {
    return shape.type.map((type) => expectation({ type })).join(" or ");
  }
  switch (shape.type) {
    case "integer":
      return `a whole number${range(shape)}`;
    case "number":
      return `a number${range(shape)}`;
    case "boolean":
      return "true or false";
    case "array":
      return listOf(shape);
    case "object":
      return `pairs of a name and ${expectation(valuesOf(shape))}`;
    default:
      return "text";
  }
}

function listOf(shape: Shape): string {
  const items = shape.items ?? {};
  const list = items.enum === undefined
    ? `a list, each ${expectation(items)}`
    : `a list of any of ${items.enum.join(", ")}`;
  return (shape.minItems ?? 0) > 0 ? `${list}, and not empty` : list;
}

/** The shape of a record's values. */
export function valuesOf(shape: Shape): Shape {
  const values = shape.additionalProperties;
  return typeof values === "object" ? values : {};
}

/** zod states the safe integers as bounds where the schema has none: those say nothing. */
function range(shape: Shape): string {
  const low = within(shape.minimum);
  const high = within(shape.maximum);
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`;
  const bounds: string[] = [];
  if (low !== undefined) bounds.push(`at least ${low}`);
  if (shape.exclusiveMinimum !== undefined) bounds.push(`above ${shape.exclusiveMinimum}`);
  if (shape.exclusiveMaximum !== undefined) bounds.push(`below ${shape.exclusiveMaximum}`);
  if (high !== undefined) bounds.push(`at most ${high}`);
  if (bounds.length === 0) return "";
  return `${bounds[0]?.startsWith("at") ? " of" : ""} ${bounds.join(" and ")}`;
}

function within(bound: number | undefined): number | undefined {
  return bound === undefined || Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? undefined : bound;
}
