/** Who a client is to its server: its run, its session, and the nonce of its newest connection. */

import { clientMessage } from "../contract/codec.ts";
import type { ClientMessage } from "../contract/federation_pb.ts";
import type { Identity } from "./exchange.ts";
import type { Keeping } from "./kept.ts";
import { freshNonce, leaveLost } from "./messages.ts";
import type { SessionOptions } from "./session_options.ts";

export class Membership {
  /** What every message says. */
  readonly identity: Identity;
  readonly #keeping: Keeping | undefined;
  #nonce = freshNonce();

  constructor({ clientId, keeping, kept }: SessionOptions) {
    this.#keeping = keeping;
    this.identity = {
      clientId,
      runId: kept?.runId ?? "",
      session: kept?.session ?? new Uint8Array(),
    };
  }

  /**
   * Bound to Hello and to the last will. The same until Welcome, so that a Hello said again opens no
   * second session; then a new one for each connection, so that a will that comes late ends no other.
   */
  get nonce(): Uint8Array<ArrayBuffer> {
    return this.#nonce;
  }

  get hasSession(): boolean {
    return this.identity.session.length > 0;
  }

  /** For the connection that is dialled next. */
  will(): ClientMessage {
    if (this.hasSession) this.#nonce = freshNonce();
    return clientMessage({ clientId: this.identity.clientId, body: leaveLost(this.#nonce) });
  }

  /** The server has opened the session, or knows it. */
  begin(runId: string, session: Uint8Array): void {
    this.enter(runId, session);
    this.#keeping?.session({ runId, session });
  }

  /** For a word or two: nothing of it is kept. */
  enter(runId: string, session: Uint8Array): void {
    this.identity.runId = runId;
    this.identity.session = session;
  }

  /** The server does not know the session any more. */
  forgetSession(): void {
    this.identity.session = new Uint8Array();
    this.#nonce = freshNonce();
  }

  forgetRun(): void {
    this.enter("", new Uint8Array());
  }

  /** The server wants nothing of the session: the next process opens another one. */
  giveUp(): void {
    if (this.hasSession) this.begin(this.identity.runId, new Uint8Array());
  }
}
