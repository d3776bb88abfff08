/** All that both sides say, in a file, for whoever looks into a trial that failed. */

import type { Awaitable } from "../support/awaitable.ts";

export class Transcript implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #begunMs = performance.now();
  #over = false;

  /** @param path Of a file, which is written anew. */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
  }

  /** Writes each entry as a line of JSON when it comes, with milliseconds since the beginning. */
  async follow<T extends object>(side: string, entries: Awaitable<T>): Promise<void> {
    for (let next = 0;; next++) {
      const entry = await entries.find(() => true, next);
      if (this.#over) return;
      this.#write({ ms: Math.round(performance.now() - this.#begunMs), side, ...entry });
    }
  }

  /** Something that the trial did. */
  tell(what: string): void {
    this.#write({ ms: Math.round(performance.now() - this.#begunMs), side: "trial", what });
  }

  #write(line: object): void {
    const bytes = new TextEncoder().encode(JSON.stringify(line) + "\n");
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#file.close();
  }
}
