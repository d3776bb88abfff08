/** What the server sent and the client has not looked at yet. */

import type { ServerMessage } from "../../contract/federation_pb.ts";

interface Entry {
  readonly message: ServerMessage;
  /** Lets the server send one more in its place. */
  readonly acknowledge: () => void;
}

/** Iterated once. An entry is acknowledged as it is taken out, so prefetch bounds what waits here. */
export class Inbox implements AsyncIterable<ServerMessage> {
  readonly #entries: Entry[] = [];
  #changed: PromiseWithResolvers<void> | undefined;
  #ended = false;

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#changed?.resolve();
  }

  /** What is here is still given out; then the iteration ends. */
  end(): void {
    this.#ended = true;
    this.#changed?.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ServerMessage> {
    for (;;) {
      const entry = this.#entries.shift();
      if (entry !== undefined) {
        entry.acknowledge();
        yield entry.message;
      } else if (this.#ended) {
        return;
      } else {
        this.#changed = Promise.withResolvers<void>();
        await this.#changed.promise;
      }
    }
  }
}
