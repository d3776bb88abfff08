/** Work of several kinds, one after the other: of each kind what is newest, and nothing that is older. */

interface Waiting<Content> {
  readonly content: Content;
  readonly done: PromiseWithResolvers<void>;
}

/** Holds at most one content of each kind beside the one under way, however slow the work is. */
export class Newest<Kind, Content> {
  readonly #act: (kind: Kind, content: Content) => Promise<void>;
  readonly #waiting = new Map<Kind, Waiting<Content>>();
  #running: Promise<void> | undefined;

  /** @param act Never rejects. */
  constructor(act: (kind: Kind, content: Content) => Promise<void>) {
    this.#act = act;
  }

  /** Resolves once it is done with, or something newer took its place. */
  put(kind: Kind, content: Content): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.get(kind)?.done.resolve();
    this.#waiting.delete(kind); // what is newest comes last
    this.#waiting.set(kind, { content, done });
    this.#running ??= this.#run();
    return done.promise;
  }

  async #run(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const [kind, { content, done }] = next;
      this.#waiting.delete(kind);
      await this.#act(kind, content);
      done.resolve();
    }
    this.#running = undefined;
  }

  /** Resolves when nothing is left to do. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }
}
