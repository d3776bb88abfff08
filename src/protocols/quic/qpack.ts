/** As much of QPACK (RFC 9204) as a server needs that offers no dynamic table. Pure, no I/O. */

/** Names of the static table that a request for a session is made of (RFC 9204, appendix A). */
const STATIC_NAMES = new Map([
  [0, ":authority"],
  [1, ":path"],
  ...[15, 16, 17, 18, 19, 20, 21].map((index) => [index, ":method"] as const),
  [22, ":scheme"],
  [23, ":scheme"],
  [90, "origin"],
]);
const STATIC_VALUES = new Map([[1, "/"], [15, "CONNECT"], [22, "http"], [23, "https"]]);

/**
 * Codes of RFC 7541 appendix B by their length in bits. The code is canonical: within a length the
 * symbols are in order, so this is all there is to it. Longer codes are no characters of a URL.
 */
const HUFFMAN: Readonly<Record<number, string>> = {
  5: "012aceiost",
  6: " %-./3456789=A_bdfghlmnpru",
  7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
  8: "&*,;XZ",
  10: '!"()?',
  11: "'+|",
  12: "#>",
  13: "\0$@[]~",
  14: "^}",
  15: "<`{",
  19: "\\",
};
const LONGEST_CODE = 19;

/**
 * Reads a field section into its fields, by name. Undefined when it is none, or refers to a dynamic
 * table; fields that a request for a session has no use for may be missing.
 */
export function readFields(section: Uint8Array): Map<string, string> | undefined {
  const input = new Cursor(section);
  const requiredInserts = input.integer(8); // §4.5.1.1: nothing was inserted
  const base = input.integer(7);
  if (requiredInserts !== 0 || base === undefined) return undefined;
  const fields = new Map<string, string>();
  while (!input.done) {
    const field = readField(input);
    if (field === undefined) return undefined;
    if (field.name !== undefined && field.value !== undefined) fields.set(field.name, field.value);
  }
  return fields;
}

function readField(
  input: Cursor,
): { name: string | undefined; value: string | undefined } | undefined {
  const first = input.peek();
  if ((first & 0xc0) === 0xc0) { // §4.5.2: indexed, static
    const index = input.integer(6);
    return index === undefined
      ? undefined
      : { name: STATIC_NAMES.get(index), value: STATIC_VALUES.get(index) };
  }
  let name: string | undefined;
  if ((first & 0xd0) === 0x50) { // §4.5.4: a name of the static table
    const index = input.integer(4);
    if (index === undefined) return undefined;
    name = STATIC_NAMES.get(index);
  } else if ((first & 0xe0) === 0x20) { // §4.5.6: a literal name
    const text = input.text(3);
    if (text === undefined) return undefined;
    name = text.decoded;
  } else {
    return undefined; // the dynamic table, which is empty
  }
  const value = input.text(7);
  return value === undefined ? undefined : { name, value: value.decoded };
}

class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  /** RFC 7541 §5.1. Undefined beyond the input or 2^28. */
  integer(prefixBits: number): number | undefined {
    const mask = (1 << prefixBits) - 1;
    let byte = this.#bytes[this.#at++];
    if (byte === undefined) return undefined;
    let value = byte & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      byte = this.#bytes[this.#at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  }

  /** RFC 7541 §5.2. `decoded` is undefined for text that no URL is made of. */
  text(prefixBits: number): { decoded: string | undefined } | undefined {
    const huffman = (this.peek() & 1 << prefixBits) !== 0;
    const length = this.integer(prefixBits);
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined;
    const bytes = this.#bytes.subarray(this.#at, this.#at += length);
    return { decoded: huffman ? readHuffman(bytes) : String.fromCharCode(...bytes) };
  }
}

/** RFC 7541 §5.2. Undefined for symbols whose codes are longer than those of a URL. */
export function readHuffman(bytes: Uint8Array): string | undefined {
  let text = "";
  let code = 0;
  let bits = 0;
  let first = 0; // the first code of this length
  for (let index = 0; index < bytes.length * 8; index++) {
    const bit = (bytes[index >> 3] ?? 0) >> (7 - index % 8) & 1;
    code = code << 1 | bit;
    first <<= 1;
    bits++;
    const symbols = HUFFMAN[bits] ?? "";
    const symbol = symbols[code - first];
    if (symbol !== undefined) {
      text += symbol;
      code = bits = first = 0;
    } else if (bits >= LONGEST_CODE) {
      return undefined;
    } else {
      first += symbols.length;
    }
  }
  // What is left is padding: fewer than eight bits, all ones.
  return bits < 8 && code === (1 << bits) - 1 ? text : undefined;
}
