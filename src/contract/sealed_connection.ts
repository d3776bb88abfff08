/**
 * A client's connection over which its token does not travel, as others may read it: a broker, whoever
 * else listens to it, the network. What comes in is the server's, said on this connection, or passed over.
 */

import { sameBytes } from "./bytes.ts";
import { clientMessage, encodeClientMessage, readServerMessage } from "./codec.ts";
import { type Connection, ConnectionLost, type Dial, type DialOptions } from "./connection.ts";
import type { ClientMessage, Sealed, ServerMessage } from "./federation_pb.ts";
import { type Connected, type Connecting, NONCE_BYTES, Seal, WILL_NUMBER } from "./seal.ts";
import { proveToken } from "./token.ts";

/** How long somebody's word that this client is refused is held against the server's own. */
const HEARSAY_MS = 1000;
/** How long a server may owe an answer once it has challenged a connection that stands. */
const DOUBT_MS = 3000;
const NOTHING = new Uint8Array();

export interface SealedDialOptions extends DialOptions {
  readonly token: string;
  readonly hearsayMs?: number;
  readonly doubtMs?: number;
}

/** What every sealed message of a connection carries in the open. */
interface Introduction {
  readonly clientId: string;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly token: string;
}

/**
 * Dials, and finds out that the server of the token is there.
 * @throws {TypeError} for a token that is none.
 * @throws {ConnectionLost} when nobody answers who could judge the token.
 */
export async function dialSealed(
  url: URL,
  { token, hearsayMs = HEARSAY_MS, doubtMs = DOUBT_MS, ...options }: SealedDialOptions,
  dial: Dial,
): Promise<Connection> {
  const { clientId, will, signal } = options;
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const connecting = { federation: federationOf(url), clientId, nonce };
  const { proven, signature } = proveToken(token, connecting);
  const introduction = { clientId, nonce, token: proven };
  const before = new Seal(signature, "up", { ...connecting, challenge: NOTHING });
  const sealedWill = introduced(introduction, before.at(WILL_NUMBER, encodeClientMessage(will)));
  const connection = await dial(url, { ...options, will: sealedWill, sealed: true });
  try {
    const messages = connection.messages[Symbol.asyncIterator]();
    // A server without tokens answers it as it does any message: hence the sequence.
    await connection.send({ ...introduced(introduction, before.next(NOTHING)), sequence: 1 });
    const waiting = { connection, messages, signal, connecting, signature, hearsayMs };
    const connected = await challenged(waiting);
    return new SealedConnection(connection, messages, {
      introduction,
      doubtMs,
      challenge: connected.challenge,
      isChallenge: (sealed) =>
        isChallenge(sealed, { ...connecting, challenge: sealed.challenge }, signature),
      up: new Seal(signature, "up", connected),
      down: new Seal(signature, "down", connected),
    });
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

/** Every wire's address has it as its path. The wire's own dialler refuses one that is none. */
function federationOf({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname.slice(1));
  } catch {
    return "";
  }
}

interface Waiting {
  readonly connection: Connection;
  readonly messages: AsyncIterator<ServerMessage>;
  readonly signal: AbortSignal;
  readonly connecting: Connecting;
  readonly signature: Uint8Array;
  readonly hearsayMs: number;
}

/** Waits for the server's challenge. Anybody can say No: that is believed if nobody says Yes. */
async function challenged(waiting: Waiting): Promise<Connected> {
  const { connection, messages, signal, connecting, signature, hearsayMs } = waiting;
  const enough = Promise.withResolvers<string>();
  const giveUp = () => enough.resolve("no server answered that could judge the token");
  signal.addEventListener("abort", giveUp);
  if (signal.aborted) giveUp();
  let hearsay: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      const next = await Promise.race([messages.next(), enough.promise]);
      if (typeof next === "string") throw new ConnectionLost(next);
      if (next.done) throw new ConnectionLost(await connection.lost);
      const { body } = next.value;
      if (body.case === "sealed") {
        const { challenge } = body.value;
        const connected = { ...connecting, challenge };
        if (isChallenge(body.value, connected, signature)) return connected;
      } else if (body.case === "receipt" || body.case === "closing") {
        const { detail } = body.value;
        hearsay ??= setTimeout(() => enough.resolve(`the server says: ${detail}`), hearsayMs);
      }
    }
  } finally {
    clearTimeout(hearsay);
    signal.removeEventListener("abort", giveUp);
  }
}

function isChallenge(sealed: Sealed, connected: Connected, signature: Uint8Array): boolean {
  return connected.challenge.length === NONCE_BYTES && sealed.body.length === 0 &&
    sealed.number === WILL_NUMBER && new Seal(signature, "down", connected).proves(sealed);
}

function introduced(
  { clientId, nonce, token }: Introduction,
  sealed: { number: bigint; body: Uint8Array; tag: Uint8Array; challenge?: Uint8Array },
): ClientMessage {
  return clientMessage({
    clientId,
    body: { case: "sealed", value: { ...sealed, nonce, token } },
  });
}

interface Keys {
  readonly introduction: Introduction;
  readonly doubtMs: number;
  readonly challenge: Uint8Array;
  /** Whether the server has said it for this connection. */
  readonly isChallenge: (sealed: Sealed) => boolean;
  readonly up: Seal;
  readonly down: Seal;
}

class SealedConnection implements Connection {
  readonly wire: string;
  readonly messages: AsyncIterable<ServerMessage>;
  readonly lost: Promise<string>;
  readonly #connection: Connection;
  readonly #keys: Keys;
  readonly #lost = Promise.withResolvers<string>();
  /** The server has spoken as the one whose challenge this connection took. */
  #isKnown = false;
  /** Something was said since the server's last word. */
  #isOwed = false;
  #doubt: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection, messages: AsyncIterator<ServerMessage>, keys: Keys) {
    this.#connection = connection;
    this.#keys = keys;
    this.wire = connection.wire;
    this.messages = this.#iterate(messages);
    this.lost = Promise.race([this.#lost.promise, connection.lost]);
    void this.lost.then(() => clearTimeout(this.#doubt));
  }

  async send(message: ClientMessage): Promise<void> {
    const { introduction, up, challenge } = this.#keys;
    const body = encodeClientMessage(withoutToken(message));
    this.#isOwed = true;
    await this.#connection.send(introduced(introduction, { ...up.next(body), challenge }));
  }

  traffic(): { readonly up: number; readonly down: number } {
    return this.#connection.traffic();
  }

  async *#iterate(messages: AsyncIterator<ServerMessage>): AsyncGenerator<ServerMessage> {
    for (;;) {
      const { done, value } = await messages.next();
      if (done) return;
      const message = value.body.case === "sealed" ? this.#open(value.body.value) : undefined;
      if (message === undefined) continue;
      yield message;
      if (message.body.case !== "closing") continue;
      // The server speaks no more here, and a broker's connection it cannot end itself.
      this.#lost.resolve(message.body.value.detail);
      return await this.#connection[Symbol.asyncDispose]();
    }
  }

  #open(sealed: Sealed): ServerMessage | undefined {
    const { challenge, isChallenge, down } = this.#keys;
    if (!sameBytes(sealed.challenge, challenge)) {
      if (isChallenge(sealed)) this.#challengedAgain();
      return undefined;
    }
    if (!down.takes(sealed)) return undefined;
    this.#isKnown = true;
    this.#isOwed = false;
    clearTimeout(this.#doubt);
    this.#doubt = undefined;
    return readServerMessage(sealed.body);
  }

  /**
   * Another connection of this client has used the challenge up, or the server was restarted and does
   * not know this one. But anybody can have the server say so, by repeating what this client said to it
   * elsewhere: a server that answers knows the connection still.
   */
  #challengedAgain(): void {
    if (!this.#isKnown) return this.#restart();
    if (this.#isOwed) this.#doubt ??= setTimeout(() => this.#restart(), this.#keys.doubtMs);
  }

  #restart(): void {
    this.#lost.resolve("the server wants this client to connect again");
    void this.#connection[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

function withoutToken(message: ClientMessage): ClientMessage {
  if (message.body.case !== "hello") return message;
  return { ...message, body: { case: "hello", value: { ...message.body.value, token: "" } } };
}
