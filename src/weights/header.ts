/**
 * The JSON header of a safetensors file, read strictly: https://github.com/huggingface/safetensors
 *
 * JSON.parse keeps the last of two equal keys without a word and builds whatever a stranger nests,
 * so the header's fixed grammar is read here. Depth is constant and memory is linear in the text.
 */

import { type Dtype, isDtype, quoteName } from "./tensors.ts";

/** One tensor of the header. Offsets are bytes from the end of the header, `end` exclusive. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The key that holds text about the file instead of a tensor. */
export const METADATA_KEY = "__metadata__";

/** numpy and PyTorch stop at 64 dimensions. */
const MAX_RANK = 64;

/** Returns the tensors in the order of the text, or one sentence about the first thing wrong with it. */
export function parseHeader(text: string): HeaderEntry[] | string {
  const cursor = new Cursor(text);
  const entries: HeaderEntry[] = [];
  const whole = cursor.object((name) => {
    if (name === METADATA_KEY) return cursor.object(() => cursor.string() !== undefined);
    const entry = parseEntry(cursor, name);
    if (entry === undefined) return false;
    entries.push(entry);
    return true;
  });
  if (!whole || !cursor.end()) return cursor.problem;
  return entries;
}

function parseEntry(cursor: Cursor, name: string): HeaderEntry | undefined {
  let dtype: Dtype | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  const whole = cursor.object((key) => {
    switch (key) {
      case "dtype": {
        const text = cursor.string();
        if (text === undefined) return false;
        if (!isDtype(text)) return cursor.fail(`${quoteName(name)} has dtype ${quoteName(text)}`);
        dtype = text;
        return true;
      }
      case "shape":
        shape = cursor.integers(MAX_RANK);
        return shape !== undefined;
      case "data_offsets":
        offsets = cursor.integers(2);
        return offsets !== undefined;
      default:
        return cursor.fail(`${quoteName(name)} has the unknown field ${quoteName(key)}`);
    }
  });
  if (!whole) return undefined;
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || begin === undefined) {
    cursor.fail(`${quoteName(name)} needs dtype, shape and data_offsets`);
    return undefined;
  }
  if (end === undefined || begin > end) {
    cursor.fail(`${quoteName(name)} needs data_offsets of a begin and an end`);
    return undefined;
  }
  return { name, dtype, shape, begin, end };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;

/** A place in JSON text (RFC 8259). Methods answer false or undefined at the first fault and keep its sentence. */
class Cursor {
  readonly #text: string;
  #at = 0;
  #problem = "";

  constructor(text: string) {
    this.#text = text;
  }

  get problem(): string {
    return this.#problem;
  }

  /** The first fault is the one told. */
  fail(problem: string): false {
    if (this.#problem === "") this.#problem = problem;
    return false;
  }

  /** Reads an object; `member` reads the value that follows each key. Equal keys are a fault. */
  object(member: (key: string) => boolean): boolean {
    if (!this.#expect("{")) return false;
    if (this.#skip("}")) return true;
    const keys = new Set<string>();
    do {
      const key = this.string();
      if (key === undefined || !this.#expect(":")) return false;
      if (keys.has(key)) return this.fail(`the key ${quoteName(key)} appears twice`);
      keys.add(key);
      if (!member(key)) return false;
    } while (this.#skip(","));
    return this.#expect("}");
  }

  /** Reads an array of at most `limit` non-negative integers. */
  integers(limit: number): number[] | undefined {
    if (!this.#expect("[")) return undefined;
    const values: number[] = [];
    if (this.#skip("]")) return values;
    do {
      const value = this.#integer();
      if (value === undefined) return undefined;
      values.push(value);
      if (values.length > limit) {
        this.fail(`more than ${limit} numbers at ${this.#at}`);
        return undefined;
      }
    } while (this.#skip(","));
    return this.#expect("]") ? values : undefined;
  }

  string(): string | undefined {
    if (!this.#expect('"')) return undefined;
    const begin = this.#at;
    let escaped = false;
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at++);
      if (code === QUOTE) return this.#unescape(begin, escaped);
      if (code === BACKSLASH) {
        escaped = true;
        this.#at++;
      }
    }
    this.fail("a string has no end");
    return undefined;
  }

  /** True when nothing but white space, the format's padding, is left. */
  end(): boolean {
    this.#space();
    return this.#at === this.#text.length || this.fail(`unexpected text at ${this.#at}`);
  }

  /** The string whose closing quote was just read. */
  #unescape(begin: number, escaped: boolean): string | undefined {
    const raw = this.#text.slice(begin, this.#at - 1);
    let value: unknown = raw;
    if (escaped || hasControl(raw)) {
      try {
        value = JSON.parse(`"${raw}"`);
      } catch {
        this.fail(`the string at ${begin} is not JSON`);
        return undefined;
      }
    }
    // A lone surrogate has no UTF-8 form: such a name cannot be written back.
    if (typeof value === "string" && value.isWellFormed()) return value;
    this.fail(`the string at ${begin} is not Unicode`);
    return undefined;
  }

  #integer(): number | undefined {
    this.#space();
    const begin = this.#at;
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++;
    const digits = this.#text.slice(begin, Math.min(this.#at, begin + 17));
    const value = Number(digits);
    const isPlain = digits !== "" && (digits === "0" || !digits.startsWith("0"));
    if (isPlain && Number.isSafeInteger(value)) return value;
    this.fail(`expected an integer at ${begin}`);
    return undefined;
  }

  #expect(char: string): boolean {
    return this.#skip(char) || this.fail(`expected ${char} at ${this.#at}`);
  }

  #skip(char: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) < 0x20) return true;
  }
  return false;
}
