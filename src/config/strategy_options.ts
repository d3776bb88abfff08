/** A strategy's own options, judged by the strategy's own schema. */

import { STRATEGIES, type StrategyName } from "../strategies/mod.ts";
import { ConfigError } from "./config_error.ts";
import { fieldsOf } from "./fields.ts";
import type { Given } from "./given.ts";
import { nearest } from "./nearest.ts";
import { resolve } from "./resolve.ts";

interface StrategySettings {
  readonly name: StrategyName;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A sentence for each option that does not fit. @param where Where the options were given. */
export function strategyMistakes({ name, options }: StrategySettings, where: string): string[] {
  const schema = STRATEGIES[name].options;
  const fields = new Map(fieldsOf(schema).map((field) => [field.key, field]));
  const given: Given[] = [];
  const sentences: string[] = [];
  for (const [key, value] of Object.entries(options)) {
    const field = fields.get(key);
    if (field !== undefined) given.push({ field, value, where: `${key} in ${where}` });
    else sentences.push(`${where}: ${name} has no option ${key}${hint(key, [...fields.keys()])}`);
  }
  try {
    resolve(schema, [...fields.values()], [{ given, sentences }]);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return [...error.sentences];
    throw error;
  }
}

function hint(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return known.length === 0 ? "; it takes none" : `; it has ${known.join(", ")}`;
}
