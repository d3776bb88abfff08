/** Bytes to messages and back, the same on every wire. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type ClientMessage,
  ClientMessageSchema,
  type ServerMessage,
  ServerMessageSchema,
} from "./federation_pb.ts";
import type { Arrival, Route } from "./protocol_server.ts";

/** UpdatePart.bytes and ModelPart.bytes unless configured otherwise. */
export const DEFAULT_PART_BYTES = 256 * 1024;

/** What a message may weigh beside its part: ids, metrics, a Welcome's tensor list and topology. */
export const MESSAGE_OVERHEAD_BYTES = 256 * 1024;

/** The largest message a server takes or sends when its parts have `partBytes`. */
export function largestMessageBytes(partBytes: number): number {
  return partBytes + MESSAGE_OVERHEAD_BYTES;
}

/**
 * Reads one ClientMessage. Bytes that are none become an `unreadable` arrival.
 * What the message holds is its own: the input belongs to the wire's library, and a view of it would
 * drag all of it along to another thread. The part of an update can be transferred.
 */
export function arrivalOf(route: Route, bytes: Uint8Array): Arrival {
  let message: ClientMessage;
  try {
    // What a newer client says beside it would be kept as a view of the input.
    message = fromBinary(ClientMessageSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    return { kind: "unreadable", route, detail: `Not a ClientMessage: ${String(error)}` };
  }
  if (message.body.case === undefined) {
    return { kind: "unreadable", route, detail: "The ClientMessage has no body this server knows" };
  }
  message.session = owned(message.session);
  const { body } = message;
  switch (body.case) {
    case "hello":
      body.value.nonce = owned(body.value.nonce);
      body.value.session = owned(body.value.session);
      if (body.value.held) body.value.held.sha256 = owned(body.value.held.sha256);
      break;
    case "updatePart":
      body.value.uploadId = owned(body.value.uploadId);
      body.value.bytes = owned(body.value.bytes);
      break;
    case "modelHeld":
      body.value.sha256 = owned(body.value.sha256);
      break;
    case "leave":
      body.value.modelSha256 = owned(body.value.modelSha256);
      body.value.nonce = owned(body.value.nonce);
      break;
    case "sealed":
      body.value.body = owned(body.value.body);
      body.value.tag = owned(body.value.tag);
      body.value.challenge = owned(body.value.challenge);
      body.value.nonce = owned(body.value.nonce);
      break;
  }
  return { kind: "message", route, message };
}

/** A copy in an ArrayBuffer of its own. (A Buffer's `slice` would be a view.) */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

export function encodeClientMessage(message: ClientMessage): Uint8Array<ArrayBuffer> {
  return toBinary(ClientMessageSchema, message) as Uint8Array<ArrayBuffer>;
}

export function encodeServerMessage(message: ServerMessage): Uint8Array<ArrayBuffer> {
  const bytes = toBinary(ServerMessageSchema, message) as Uint8Array<ArrayBuffer>;
  const wrap = covers.get(message);
  if (wrap === undefined) return bytes;
  return toBinary(ServerMessageSchema, wrap(bytes)) as Uint8Array<ArrayBuffer>;
}

/** What is put around a message's bytes. Gives the message that leaves in its place. */
type Cover = (bytes: Uint8Array<ArrayBuffer>) => ServerMessage;

/** Beside the messages and not in them: the wires read a message's body until it is encoded. */
const covers = new WeakMap<ServerMessage, Cover>();

/** Lets a message leave as what `wrap` makes of its bytes, whichever wire encodes it. */
export function cover(message: ServerMessage, wrap: Cover): void {
  covers.set(message, wrap);
}

/** Reads one ServerMessage; undefined for what is none. */
export function readServerMessage(bytes: Uint8Array): ServerMessage | undefined {
  try {
    return decodeServerMessage(bytes);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Reads one ServerMessage.
 * @throws {SyntaxError} when the bytes are none.
 */
export function decodeServerMessage(bytes: Uint8Array): ServerMessage {
  try {
    return fromBinary(ServerMessageSchema, bytes);
  } catch (error) {
    throw new SyntaxError(`Not a ServerMessage: ${String(error)}`);
  }
}

export function clientMessage(init: MessageInitShape<typeof ClientMessageSchema>): ClientMessage {
  return create(ClientMessageSchema, init);
}

export function serverMessage(init: MessageInitShape<typeof ServerMessageSchema>): ServerMessage {
  return create(ServerMessageSchema, init);
}
