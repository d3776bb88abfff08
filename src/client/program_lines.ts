/** What a training program says: progress on its standard output, everything else for people. */

import type { TrainProgress } from "./trainer.ts";

/** Longest that one line appears in a sentence. */
const MAX_QUOTE_CHARS = 300;

/** `{"batch":1,"batches":10,"loss":0.5}`; undefined for any other line. */
export function parseProgress(line: string): TrainProgress | undefined {
  if (!line.startsWith("{")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { batch, batches, loss } = value as Partial<Record<keyof TrainProgress, unknown>>;
  if (!isCount(batch) || !isCount(batches) || batch > batches || typeof loss !== "number") {
    return undefined;
  }
  return { batch, batches, loss };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && value as number >= 1;
}

export interface Listeners {
  readonly progress?: ((progress: TrainProgress) => void) | undefined;
  /** Gets every other line. */
  readonly said?: ((line: string) => void) | undefined;
}

export class ProgramLines {
  readonly #listeners: Listeners;
  #complaint = "";
  #percent = -1;

  constructor(listeners: Listeners) {
    this.#listeners = listeners;
  }

  hear(line: string, output: "stdout" | "stderr"): void {
    const progress = output === "stdout" ? parseProgress(line) : undefined;
    if (progress !== undefined) return this.#progress(progress);
    if (output === "stderr") this.#complaint = line;
    this.#listeners.said?.(line);
  }

  /** One report for each percent at most, however many batches. */
  #progress(progress: TrainProgress): void {
    const percent = Math.floor(100 * progress.batch / progress.batches);
    if (percent === this.#percent) return;
    this.#percent = percent;
    this.#listeners.progress?.(progress);
  }

  /** The last line of the standard error, to be put behind a sentence; empty where there is none. */
  get lastWords(): string {
    if (this.#complaint === "") return "";
    const line = this.#complaint;
    return `: ${line.length > MAX_QUOTE_CHARS ? `${line.slice(0, MAX_QUOTE_CHARS)}…` : line}`;
  }
}
