/** What goes on for days is said once: a server that is not there, a run that does not come. */

import type { Level } from "../log.ts";

export class Repeats {
  readonly #said = new Map<string, string>();

  /** `level`, or `debug` where the last word on this subject was the same. */
  level(subject: string, words: string, level: Level): Level {
    if (this.#said.get(subject) === words) return "debug";
    this.#said.set(subject, words);
    return level;
  }

  /** Things have changed: what is said next is news. */
  clear(): void {
    this.#said.clear();
  }
}
