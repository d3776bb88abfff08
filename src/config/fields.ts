/** A configuration schema seen as a list of settings, each with its name in every source. */

import * as z from "zod";

/** The parts of JSON Schema that zod writes for a setting, plus our own `flag`, `takes` and `secret`. */
export interface Shape {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly minItems?: number;
  readonly anyOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  /** From `.meta({ flag })`: the flag's name where the rule would give a clumsy one. */
  readonly flag?: string;
  /** From `.meta({ takes })`: what the setting takes, in words, where the schema cannot say it. */
  readonly takes?: string;
  /** From `.meta({ secret: true })`: its value is never written anywhere. */
  readonly secret?: boolean;
}

/** One setting. */
export interface Field {
  /** Keys from the top of the configuration, e.g. `["training", "roundTimeoutMs"]`. */
  readonly path: readonly string[];
  /** In a TOML file: `training.round_timeout_ms`. */
  readonly key: string;
  /** On the command line, without the dashes: `round-timeout-ms`. */
  readonly flag: string;
  /** In the environment: `TRIBUTARY_ROUND_TIMEOUT_MS`. */
  readonly env: string;
  readonly meaning: string;
  readonly shape: Shape;
}

/** Their settings are so much the product's own that flags do not name the section. */
const UNNAMED_SECTIONS: ReadonlySet<string> = new Set(["training", "limits"]);

/** Every setting of a schema, in the schema's order, sections after the settings above them. */
export function fieldsOf(schema: z.ZodType): readonly Field[] {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Shape;
  const fields = fieldsUnder([], shape);
  return [
    ...fields.filter((field) => field.path.length === 1),
    ...fields.filter((field) => field.path.length > 1),
  ];
}

/** A section holds named settings; a record (`properties` absent) is a setting itself. */
function fieldsUnder(path: readonly string[], shape: Shape): Field[] {
  if (shape.properties === undefined) return [fieldAt(path, shape)];
  return Object.entries(shape.properties).flatMap(([key, inner]) =>
    fieldsUnder([...path, key], inner)
  );
}

function fieldAt(path: readonly string[], shape: Shape): Field {
  const [section = ""] = path;
  const named = UNNAMED_SECTIONS.has(section) && path.length > 1 ? path.slice(1) : path;
  const flag = shape.flag ?? named.map(snake).join("-").replaceAll("_", "-");
  return {
    path,
    key: path.map(snake).join("."),
    flag,
    env: `TRIBUTARY_${flag.replaceAll("-", "_").toUpperCase()}`,
    meaning: shape.description ?? "",
    shape,
  };
}

/** `roundTimeoutMs` -> `round_timeout_ms`. */
export function snake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
