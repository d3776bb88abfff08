/** A progress bar in the terminal's bottom line. */

import type { Output } from "./io.ts";

/** Shows how much of `total` is done, until disposal. Writes nothing where there is no terminal. */
export class ProgressBar implements Disposable {
  readonly #output: Output;
  readonly #label: string;
  readonly #total: number;

  constructor(output: Output, { label, total }: { label: string; total: number }) {
    this.#output = output;
    this.#label = label;
    this.#total = total;
    this.update(0);
  }

  /** @param note What is done in these units, e.g. `3 of 5 rounds`; the percentage by default. */
  update(done: number, note?: string): void {
    const fraction = this.#total > 0 ? Math.min(1, Math.max(0, done / this.#total)) : 0;
    const after = note ?? `${Math.floor(fraction * 100)} %`;
    const room = this.#output.columns - this.#label.length - after.length - 3;
    this.#output.bottomLine(`${this.#label} ${bar(fraction, Math.min(40, room))} ${after}`);
  }

  [Symbol.dispose](): void {
    this.#output.bottomLine("");
  }
}

/** Eighths of a cell, so that slow work is seen to move. */
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function bar(fraction: number, width: number): string {
  if (width < 1) return "";
  const eighths = Math.floor(fraction * width * 8);
  const full = "█".repeat(Math.floor(eighths / 8));
  const part = EIGHTHS[eighths % 8] ?? "";
  return (full + part).padEnd(width, "·");
}
