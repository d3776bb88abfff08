/** A connection without a wire: what is sent is there at once, what is heard is said by the test. */

import { serverMessage } from "../../src/contract/codec.ts";
import { type Connection, ConnectionLost } from "../../src/contract/connection.ts";
import {
  type ClientMessage,
  type Receipt,
  type ServerMessage,
  Verdict,
} from "../../src/contract/federation_pb.ts";
import { Awaitable } from "../support/awaitable.ts";

export class MemoryConnection implements Connection {
  readonly wire = "memory";
  readonly sent = new Awaitable<ClientMessage>();
  readonly #heard = new Awaitable<ServerMessage>();
  readonly #lost = Promise.withResolvers<string>();
  #over: string | undefined;
  disposed = 0;

  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  send(message: ClientMessage): Promise<void> {
    if (this.#over !== undefined) return Promise.reject(new ConnectionLost(this.#over));
    this.sent.push(message);
    return Promise.resolve();
  }

  readonly messages: AsyncIterable<ServerMessage> = this.#read();

  async *#read(): AsyncGenerator<ServerMessage> {
    for (let next = 0;; next++) {
      const message = await this.#heard.find(() => true, next).catch(() => undefined);
      if (message === undefined) return;
      yield message;
    }
  }

  /** The server says something. */
  say(message: ServerMessage): void {
    if (this.#over === undefined) this.#heard.push(message);
  }

  judge(sequence: number, verdict = Verdict.ACCEPTED, more: Partial<Receipt> = {}): void {
    const { detail = "", nextOffset = 0n, retryAfterMs = 0 } = more;
    const value = { sequence, verdict, detail, nextOffset, retryAfterMs };
    this.say(serverMessage({ runId: "run", body: { case: "receipt", value } }));
  }

  end(reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.#heard.end(reason);
    this.#lost.resolve(reason);
  }

  traffic(): { up: number; down: number } {
    return { up: 0, down: 0 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed++;
    this.end("closed by this client");
    return Promise.resolve();
  }
}
