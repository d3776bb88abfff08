/** The effective configuration as a TOML file that sets exactly it, but for secrets. */

import { type Config, fields } from "../config.ts";
import type { Field } from "./fields.ts";
import type { Resolved } from "./resolve.ts";
import { tomlLine } from "./toml.ts";

/** One line a setting; a comment says where a value comes from that is not the default. */
export function printConfig({ config, given }: Resolved<Config>): string {
  const lines: string[] = [];
  let section = "";
  for (const field of fields) {
    const parts = field.key.split(".");
    const key = parts.pop() ?? "";
    if (parts.join(".") !== section) {
      section = parts.join(".");
      lines.push("", `[${section}]`);
    }
    const where = given.get(field.key)?.where;
    if (field.shape.secret && where !== undefined) lines.push(`# ${key} is a secret, ${where}`);
    else lines.push(settingLine(key, valueAt(config, field), where));
  }
  return lines.join("\n") + "\n";
}

function settingLine(key: string, value: unknown, where: string | undefined): string {
  if (value === undefined) return `# ${key} is not set`;
  return tomlLine(key, value) + (where === undefined ? "" : ` # ${where}`);
}

function valueAt(config: Config, field: Field): unknown {
  let value: unknown = config;
  for (const key of field.path) value = (value as Record<string, unknown>)[key];
  return value;
}
