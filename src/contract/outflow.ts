/** What goes to a broker: a bounded part of it unconfirmed, answers before everything else. */

/** One message on its way to one client. */
export interface Letter {
  /** Where the wire brings it. */
  readonly address: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** It was written: the broker has it, or is about to. */
  written?(): void;
  /** The broker has nobody to give it to (no `reason`), or would not take it. */
  lost(reason: string | undefined): void;
}

/** Somebody with letters, asked for them one by one as there is room. */
export interface Source {
  /** The next letter; undefined when there is none now. Whoever has one later offers it again. */
  next(): Letter | undefined;
}

/**
 * Writes a message towards a client. Resolves once the broker has it, with false where nobody is
 * there to get it; rejects when the broker refuses it or is gone.
 */
export type Publish = (address: string, bytes: Uint8Array<ArrayBuffer>) => Promise<boolean>;

export interface OutflowOptions {
  readonly publish: Publish;
  /** Messages that may be unconfirmed at once; the last quarter is for answers alone. */
  readonly windowMessages: number;
  /** Unconfirmed bytes beyond which only answers are written. */
  readonly windowBytes: number;
}

export class Outflow {
  readonly #options: OutflowOptions;
  readonly #answers: Letter[] = [];
  /** Who may have something to send, each in its turn. */
  readonly #sources = new Set<Source>();
  #messages = 0;
  #bytes = 0;
  #paused = false;
  #settled: PromiseWithResolvers<void> | undefined;

  constructor(options: OutflowOptions) {
    this.#options = options;
  }

  /** Writes a letter as soon as the broker's own window allows, past whatever is to be sent. */
  answer(letter: Letter): void {
    this.#answers.push(letter);
    this.#pump();
  }

  /** Asks a source for letters whenever there is room, in turn with the others. */
  offer(source: Source): void {
    this.#sources.add(source);
    this.#pump();
  }

  /** The broker takes nothing for now. What was written stays under way. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  /** Resolves once every answer is confirmed; at once where the broker takes nothing. */
  async settled(): Promise<void> {
    while (!this.#paused && (this.#messages > 0 || this.#answers.length > 0)) {
      this.#settled ??= Promise.withResolvers<void>();
      await this.#settled.promise;
    }
  }

  #pump(): void {
    const { windowMessages, windowBytes } = this.#options;
    while (!this.#paused && this.#messages < windowMessages) {
      const letter = this.#answers.shift();
      if (letter === undefined) break;
      this.#write(letter);
    }
    const sendMessages = Math.max(1, windowMessages - Math.floor(windowMessages / 4));
    for (const source of this.#sources) {
      if (this.#paused || this.#messages >= sendMessages || this.#bytes >= windowBytes) return;
      this.#sources.delete(source);
      const letter = source.next();
      if (letter === undefined) continue;
      this.#sources.add(source); // last, so that everybody has a turn before its next
      this.#write(letter);
    }
  }

  #write(letter: Letter): void {
    this.#messages++;
    this.#bytes += letter.bytes.length;
    void this.#confirmed(letter).then((lost) => {
      this.#messages--;
      this.#bytes -= letter.bytes.length;
      if (lost !== undefined) letter.lost(lost.reason);
      this.#pump();
      this.#settled?.resolve();
      this.#settled = undefined;
    });
    letter.written?.();
  }

  async #confirmed(
    { address, bytes }: Letter,
  ): Promise<{ reason: string | undefined } | undefined> {
    try {
      const isHeard = await this.#options.publish(address, bytes);
      return isHeard ? undefined : { reason: undefined };
    } catch (error) {
      return { reason: error instanceof Error ? error.message : String(error) };
    }
  }
}
