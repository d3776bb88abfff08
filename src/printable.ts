/** Texts of other machines on a terminal: none may move its cursor, end its line or reorder it. */

/** Controls (ISO 6429 C0 and C1, DEL), line ends, and marks of direction (Unicode UAX #9). */
// deno-lint-ignore no-control-regex -- control characters are what it is about
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** One line to look at. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "�");
}

/** JSON on one line: what it says is as it was, and what a terminal would obey is escaped. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
