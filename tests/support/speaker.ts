/** A sealed connection's client, message by message: what it would say, for tests that meddle with it. */

import assert from "node:assert/strict";
import { clientMessage, encodeClientMessage } from "../../src/contract/codec.ts";
import {
  type ClientMessage,
  ClientMessageSchema,
  LeaveReason,
  type Sealed,
  type ServerMessage,
  ServerMessageSchema,
} from "../../src/contract/federation_pb.ts";
import { Seal } from "../../src/contract/seal.ts";
import { proveToken } from "../../src/contract/token.ts";
import { clone, fromBinary, toBinary } from "@bufbuild/protobuf";
import { RULE, tokenFor } from "./tokens.ts";

const EMPTY = new Uint8Array();

export class Speaker {
  readonly clientId: string;
  readonly nonce: Uint8Array;
  readonly #signature: Uint8Array;
  readonly #token: string;
  #challenge: Uint8Array = EMPTY;
  #up: Seal;
  #down: Seal;

  constructor(
    clientId: string,
    { token = tokenFor(clientId), nonce = crypto.getRandomValues(new Uint8Array(16)) }: {
      token?: string;
      nonce?: Uint8Array;
    } = {},
  ) {
    this.clientId = clientId;
    this.nonce = nonce;
    const { proven, signature } = proveToken(token, this.#connecting());
    this.#signature = signature;
    this.#token = proven;
    this.#up = this.#seal("up");
    this.#down = this.#seal("down");
  }

  #connecting() {
    return { federation: RULE.federation, clientId: this.clientId, nonce: this.nonce };
  }

  #seal(direction: "up" | "down", challenge = this.#challenge): Seal {
    return new Seal(this.#signature, direction, { ...this.#connecting(), challenge });
  }

  #message(sealed: Omit<Sealed, "$typeName" | "nonce" | "token" | "challenge">, sequence = 0) {
    const { nonce, clientId } = this;
    const value = { ...sealed, nonce, token: this.#token, challenge: this.#challenge };
    return clientMessage({ clientId, sequence, body: { case: "sealed", value } });
  }

  knock(): ClientMessage {
    return this.#message(this.#seal("up", EMPTY).at(1n, EMPTY), 1);
  }

  /** Takes the server's challenge, as its own client does. */
  meet(answer: ServerMessage): void {
    assert.ok(answer.body.case === "sealed");
    const { challenge } = answer.body.value;
    assert.equal(challenge.length, 16);
    assert.ok(this.#seal("down", challenge).proves(answer.body.value));
    this.#challenge = challenge;
    this.#up = this.#seal("up");
    this.#down = this.#seal("down");
  }

  say(init: NonNullable<Parameters<typeof clientMessage>[0]>): ClientMessage {
    const inner = clientMessage({ clientId: this.clientId, ...init });
    return this.#message(this.#up.next(encodeClientMessage(inner)));
  }

  hello(sequence = 1): ClientMessage {
    const value = { contractVersion: 1, nonce: new Uint8Array(16).fill(3), samples: 10 };
    return this.say({ sequence, body: { case: "hello", value } });
  }

  heartbeat(sequence: number): ClientMessage {
    return this.say({ sequence, body: { case: "heartbeat", value: {} } });
  }

  will(): ClientMessage {
    const { clientId } = this;
    const value = { reason: LeaveReason.LOST, nonce: new Uint8Array(16).fill(3) };
    const inner = clientMessage({ clientId, body: { case: "leave", value } });
    const sealed = this.#seal("up", EMPTY).at(0n, encodeClientMessage(inner));
    const message = this.#message(sealed);
    assert.ok(message.body.case === "sealed");
    message.body.value.challenge = EMPTY;
    return message;
  }

  /** What the server says, if it is the server who says it. */
  hear(bytes: Uint8Array): ServerMessage | undefined {
    const { body } = fromBinary(ServerMessageSchema, bytes);
    if (body.case !== "sealed" || !this.#down.takes(body.value)) return undefined;
    return fromBinary(ServerMessageSchema, body.value.body);
  }
}

export function copyOf(message: ClientMessage): ClientMessage {
  return clone(ClientMessageSchema, message);
}

export function bytesOf(message: ClientMessage): Uint8Array<ArrayBuffer> {
  return toBinary(ClientMessageSchema, message) as Uint8Array<ArrayBuffer>;
}

/** Of a sealed message, to change something in it. */
export function sealedIn(message: ClientMessage): Sealed {
  assert.ok(message.body.case === "sealed");
  return message.body.value;
}
