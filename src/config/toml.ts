/** Settings from a TOML file, and back. */

import { parse, stringify, TomlError } from "smol-toml";
import type { Field } from "./fields.ts";
import type { Given, Reading } from "./given.ts";
import { nearest } from "./nearest.ts";

export interface TomlFile {
  /** As the operator named it. */
  readonly name: string;
  readonly text: string;
}

/** Reads a TOML file's settings; every problem names the file and, where it is known, the line. */
export function readToml(file: TomlFile, fields: readonly Field[]): Reading {
  let table: Record<string, unknown>;
  try {
    table = parse(file.text, { unsafeKeyBehaviour: "throw" });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The message goes on with a drawing of the place, which is no sentence.
    const [reason = ""] = error.message.split("\n");
    const detail = reason.replace("Invalid TOML document: ", "");
    return {
      given: [],
      sentences: [`${file.name} line ${error.line} is not TOML: ${detail}; correct that line`],
    };
  }
  const reader = new Reader(file, fields);
  reader.read([], table);
  return reader;
}

class Reader implements Reading {
  readonly given: Given[] = [];
  readonly sentences: string[] = [];
  readonly #file: TomlFile;
  readonly #fields: ReadonlyMap<string, Field>;
  readonly #lines: ReadonlyMap<string, number>;

  constructor(file: TomlFile, fields: readonly Field[]) {
    this.#file = file;
    this.#fields = new Map(fields.map((field) => [field.key, field]));
    this.#lines = linesOfKeys(file.text);
  }

  read(path: readonly string[], table: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(table)) {
      const key = [...path, name].join(".");
      const field = this.#fields.get(key);
      if (field !== undefined) {
        this.given.push({ field, value, where: `${key} in ${this.#place(key)}` });
      } else if (!this.#isSection(key)) {
        this.sentences.push(`${this.#place(key)}: there is no setting ${key}${this.#hint(key)}`);
      } else if (isTable(value)) {
        this.read([...path, name], value);
      } else {
        this.sentences.push(
          `${this.#place(key)}: ${key} is a section; write [${key}] and its settings below it`,
        );
      }
    }
  }

  #isSection(key: string): boolean {
    return this.#fields.keys().some((known) => known.startsWith(`${key}.`));
  }

  #place(key: string): string {
    const line = this.#lines.get(key);
    return line === undefined ? this.#file.name : `${this.#file.name} line ${line}`;
  }

  /** A whole key may be misspelt, or a right name may stand in the wrong section. */
  #hint(key: string): string {
    const sections = this.#fields.keys().map((known) => known.split(".").slice(0, -1).join("."));
    const leaf = key.split(".").at(-1);
    const meant = nearest(key, [...this.#fields.keys(), ...sections]) ??
      this.#fields.keys().find((known) => known.split(".").at(-1) === leaf);
    return meant === undefined ? "; remove it" : `; did you mean ${meant}?`;
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

/** Where each key and section first stands. Keys of inline tables are found by their table's line. */
function linesOfKeys(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  let section: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[\[?\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    const assigned = /^\s*([\w"'.\s-]+?)\s*=/.exec(line)?.[1];
    if (header !== undefined) section = parts(header);
    else if (assigned === undefined) continue;
    const path = assigned === undefined ? section : [...section, ...parts(assigned)];
    for (let length = 1; length <= path.length; length++) {
      const key = path.slice(0, length).join(".");
      if (!lines.has(key)) lines.set(key, index + 1);
    }
  }
  return lines;
}

function parts(dotted: string): string[] {
  return dotted.split(".").map((part) => part.trim().replace(/^["']|["']$/g, ""));
}

/** One `key = value` line. A record becomes an inline table, so that it stays one line. */
export function tomlLine(key: string, value: unknown): string {
  if (!isTable(value)) return stringify({ [key]: value }).trimEnd();
  const pairs = Object.entries(value).map(([name, inner]) => tomlLine(name, inner));
  return `${key} = {${pairs.length === 0 ? "" : ` ${pairs.join(", ")} `}}`;
}
