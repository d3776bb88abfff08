/** The configuration's flags on a command line, read off the schema. */

import { type Command, Option } from "commander";
import { type Config, fields, readConfig } from "../config.ts";
import { type Field, snake } from "../config/fields.ts";
import { printConfig } from "../config/print.ts";
import type { Resolved } from "../config/resolve.ts";
import type { TomlFile } from "../config/toml.ts";
import { readNamedFile } from "../server/named_file.ts";
import type { Io } from "./io.ts";

/** Adds a flag for every setting, in groups by section, and `--config` and `--print-config`. */
export function addConfigFlags(command: Command): Command {
  command
    .option("--config <file>", "read settings from this TOML file")
    .option("--print-config", "write the effective settings as TOML, and start nothing");
  for (const field of fields) {
    for (const option of optionsOf(field)) command.addOption(option.helpGroup(groupOf(field)));
  }
  return command;
}

function optionsOf(field: Field): Option[] {
  const { flag, shape, meaning } = field;
  if (shape.type !== "boolean") {
    const fallback = shape.default === undefined ? "" : ` (default: ${textOf(shape.default)})`;
    return [new Option(`--${flag} <${placeholder(field)}>`, meaning + fallback)];
  }
  // Both can be said, since a file may say the opposite; the help shows the one that changes things.
  return [
    new Option(`--${flag}`, meaning).hideHelp(shape.default === true),
    new Option(`--no-${flag}`, negated(meaning)).hideHelp(shape.default !== true),
  ];
}

function groupOf({ path }: Field): string {
  const [section = ""] = path;
  if (path.length === 1) return "Settings:";
  return `${capitalised(snake(section).split("_").map(named).join(" "))} settings:`;
}

const PROPER_NAMES: ReadonlyMap<string, string> = new Map(
  ["MQTT", "AMQP", "gRPC", "QUIC", "DDS", "TLS"].map((name) => [name.toLowerCase(), name]),
);

function named(word: string): string {
  return PROPER_NAMES.get(word) ?? word;
}

function capitalised(words: string): string {
  return words.startsWith("gRPC") ? words : words.charAt(0).toUpperCase() + words.slice(1);
}

/** `Serve the page` -> `Do not serve the page`. */
function negated(meaning: string): string {
  return `Do not ${meaning.charAt(0).toLowerCase()}${meaning.slice(1)}`;
}

function placeholder({ shape, path }: Field): string {
  if (shape.enum !== undefined) return shape.enum.join("|");
  if (shape.type === "integer" || shape.type === "number") return "n";
  if (shape.type === "array") return `${shape.items?.enum?.join("|") ?? "a,b"},...`;
  if (shape.type === "object") return "name=value,...";
  if (shape.takes === "a path") return "file";
  return path.at(-1) === "state" ? "dir" : "text";
}

function textOf(fallback: unknown): string {
  if (Array.isArray(fallback)) return fallback.join(",") || "none";
  return typeof fallback === "object" ? "none" : fallback === "" ? "empty" : String(fallback);
}

/**
 * The configuration that the command line, the environment and the file make together; undefined
 * when `--print-config` asked only to write it.
 * @throws {ConfigError} with a sentence for each thing to change.
 */
export async function configOf(
  command: Command,
  io: Io,
): Promise<Resolved<Config> | undefined> {
  const { config: named, printConfig: print } = command.opts<
    { config?: string; printConfig?: boolean }
  >();
  const resolved = readConfig({
    file: await readFile(named, io),
    environment: io.environment,
    flags: flagsOf(command),
  });
  if (!print) return resolved;
  io.stdout.write(printConfig(resolved));
  return undefined;
}

function flagsOf(command: Command): Record<string, string | boolean> {
  const flags: Record<string, string | boolean> = {};
  for (const field of fields) {
    const name = new Option(`--${field.flag}`).attributeName();
    const value: unknown = command.getOptionValue(name);
    if (command.getOptionValueSource(name) !== "cli") continue;
    if (typeof value === "string" || typeof value === "boolean") flags[field.flag] = value;
  }
  return flags;
}

async function readFile(named: string | undefined, io: Io): Promise<TomlFile | undefined> {
  const fromEnvironment = io.environment.TRIBUTARY_CONFIG || undefined;
  const name = named ?? fromEnvironment;
  if (name === undefined) return undefined;
  const where = named === undefined ? "TRIBUTARY_CONFIG" : "--config";
  const bytes = await readNamedFile(where, name, "a TOML file");
  return { name, text: new TextDecoder().decode(bytes) };
}
