/** A client for tests: a real connection, what it heard, and messages made by hand. */

import { sameBytes } from "../../src/contract/bytes.ts";
import { clientMessage } from "../../src/contract/codec.ts";
import type { Connection, Dial } from "../../src/contract/connection.ts";
import {
  type ClientMessage,
  LeaveReason,
  type Receipt,
  type ServerMessage,
} from "../../src/contract/federation_pb.ts";
import { Awaitable } from "./awaitable.ts";

/** Of a Hello that was given none: a Peer says its own. */
const NO_NONCE = new Uint8Array(16);

export class Peer implements AsyncDisposable {
  readonly heard = new Awaitable<ServerMessage>();
  readonly clientId: string;
  readonly connection: Connection;
  /** Of its last will, and of its Hello, by which a server knows the one for the other's. */
  readonly nonce: Uint8Array;
  #sequence = 0;
  #reading: Promise<void> | undefined;

  constructor(clientId: string, connection: Connection, nonce: Uint8Array) {
    this.clientId = clientId;
    this.connection = connection;
    this.nonce = nonce;
  }

  /** @param options.reading false for a client that never reads what the server sends. */
  static async dial(
    dial: Dial,
    url: string,
    clientId: string,
    { reading = true }: { reading?: boolean } = {},
  ): Promise<Peer> {
    const nonce = randomNonce();
    const will = clientMessage({
      clientId,
      body: { case: "leave", value: { reason: LeaveReason.LOST, nonce } },
    });
    const signal = AbortSignal.timeout(60_000); // a hung handshake fails the test, with a name
    const peer = new Peer(clientId, await dial(new URL(url), { clientId, will, signal }), nonce);
    if (reading) peer.read();
    return peer;
  }

  read(): void {
    this.#reading ??= (async () => {
      for await (const message of this.connection.messages) this.heard.push(message);
      this.heard.end("the connection is over");
    })();
  }

  /** Sends one message; resolves with the sequence number it was given. */
  async send(
    body: ClientMessage["body"],
    more: { runId?: string; session?: Uint8Array; clientId?: string } = {},
  ): Promise<number> {
    const sequence = ++this.#sequence;
    if (body.case === "hello" && sameBytes(body.value.nonce, NO_NONCE)) {
      body.value.nonce = this.nonce;
    }
    await this.connection.send(
      clientMessage({ clientId: this.clientId, sequence, body, ...more }),
    );
    return sequence;
  }

  async receipt(sequence: number): Promise<Receipt> {
    const message = await this.heard.find((heard) =>
      heard.body.case === "receipt" && heard.body.value.sequence === sequence
    );
    return (message.body as { value: Receipt }).value;
  }

  /** Sends one message and waits for the verdict on it. */
  async ask(
    body: ClientMessage["body"],
    more: { runId?: string; session?: Uint8Array; clientId?: string } = {},
  ): Promise<Receipt> {
    return await this.receipt(await this.send(body, more));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]();
    await this.#reading;
  }
}

function randomNonce(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}

/** Bodies made by hand need a `$typeName` on every message: `body()` fills it in. */
export function body(
  init: NonNullable<Parameters<typeof clientMessage>[0]["body"]>,
): ClientMessage["body"] {
  return clientMessage({ body: init }).body;
}

export function heartbeat(): ClientMessage["body"] {
  return body({ case: "heartbeat", value: {} });
}

export function hello(
  init: {
    samples?: number;
    nonce?: Uint8Array;
    session?: Uint8Array;
    attach?: boolean;
    token?: string;
  } = {},
): ClientMessage["body"] {
  const nonce = init.nonce ?? NO_NONCE;
  return body({
    case: "hello",
    value: { contractVersion: 1, software: "test", samples: 100, ...init, nonce },
  });
}
