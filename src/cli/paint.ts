/** Colour, where there is a terminal to show it. */

export type Look = "good" | "bad" | "warn" | "faint" | "strong";

/** SGR parameters (ECMA-48 §8.3.117). */
const CODES: Readonly<Record<Look, number>> = { good: 32, bad: 31, warn: 33, faint: 90, strong: 1 };

export function paint(output: { readonly colours: boolean }, look: Look, text: string): string {
  return output.colours ? `\x1b[${CODES[look]}m${text}\x1b[0m` : text;
}
