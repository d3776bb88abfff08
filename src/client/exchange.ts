/** One connection's conversation: messages out with their receipts, everything else in. */

import { clientMessage } from "../contract/codec.ts";
import { type Connection, ConnectionLost } from "../contract/connection.ts";
import type { ClientMessage, Receipt, ServerMessage } from "../contract/federation_pb.ts";

/** What every message of a client carries. Empty before Welcome. */
export interface Identity {
  readonly clientId: string;
  runId: string;
  session: Uint8Array;
}

export interface ExchangeOptions {
  /** Gets every message of the server, receipts too. */
  readonly hear: (message: ServerMessage) => void;
  /**
   * No word from the server for so long while a receipt is awaited, or no receipt for so long after
   * a later one came: the connection counts as lost.
   */
  readonly silenceMs: () => number;
}

/**
 * A silence is counted in so many steps. Where this thread stood still for all of it, one of them is
 * over, and what has come meanwhile is read before the next.
 */
const STEPS = 4;

export class Exchange implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #identity: Identity;
  readonly #options: ExchangeOptions;
  readonly #awaited = new Map<number, PromiseWithResolvers<Receipt>>();
  readonly #ended = new AbortController();
  readonly #over = Promise.withResolvers<string>();
  readonly #listening: Promise<void>;
  #sequence = 0;
  #passedOver = false;
  #lostReason: string | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection, identity: Identity, options: ExchangeOptions) {
    this.#connection = connection;
    this.#identity = identity;
    this.#options = options;
    this.#listening = this.#listen();
  }

  /** Fires when the connection is over, with a ConnectionLost as its reason. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Why the connection is over; resolves once. */
  get over(): Promise<string> {
    return this.#over.promise;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /**
   * Sends a message; resolves with the verdict on it.
   * @throws {ConnectionLost} when the connection ends before.
   */
  async ask(body: ClientMessage["body"]): Promise<Receipt> {
    if (this.#lostReason !== undefined) throw new ConnectionLost(this.#lostReason);
    const sequence = this.#sequence = this.#sequence % 0xffff_fffe + 1;
    const awaited = Promise.withResolvers<Receipt>();
    this.#awaited.set(sequence, awaited);
    this.#expectWord();
    const { clientId, runId, session } = this.#identity;
    const message = clientMessage({ clientId, runId, session, sequence, body });
    this.#connection.send(message).catch((error) => awaited.reject(error));
    try {
      return await awaited.promise;
    } finally {
      this.#awaited.delete(sequence);
    }
  }

  async #listen(): Promise<void> {
    let reason = "the connection ended";
    try {
      for await (const message of this.#connection.messages) {
        if (message.body.case === "receipt") this.#judged(message.body.value);
        this.#heard();
        this.#options.hear(message);
      }
      reason = await this.#connection.lost;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    this.#end(reason);
  }

  #judged(receipt: Receipt): void {
    const { sequence } = receipt;
    const awaited = this.#awaited.get(sequence);
    if (awaited === undefined) return; // repeated by its wire
    const [oldest] = this.#awaited.keys();
    this.#awaited.delete(sequence);
    awaited.resolve(receipt);
    // Receipts come in the order of what they answer: one that was passed over may be lost.
    if (oldest === sequence) this.#passedOver = false;
    else if (!this.#passedOver) {
      this.#passedOver = true;
      this.#restart();
    }
  }

  /** Any word is life, but none makes up for a receipt that was passed over. */
  #heard(): void {
    if (!this.#passedOver) this.#restart();
  }

  #restart(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
    if (this.#awaited.size > 0) this.#expectWord();
  }

  #expectWord(steps = STEPS): void {
    if (this.#lostReason !== undefined) return;
    this.#watch ??= setTimeout(() => {
      this.#watch = undefined;
      if (steps > 1) this.#expectWord(steps - 1);
      else this.#end("the server does not answer");
    }, this.#options.silenceMs() / STEPS);
  }

  #end(reason: string): void {
    if (this.#lostReason !== undefined) return;
    this.#lostReason = reason;
    clearTimeout(this.#watch);
    const lost = new ConnectionLost(reason);
    for (const awaited of this.#awaited.values()) awaited.reject(lost);
    this.#ended.abort(lost);
    this.#over.resolve(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end("closed by the client");
    await this.#connection[Symbol.asyncDispose]();
    await this.#listening;
  }
}
