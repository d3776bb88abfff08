/** Addresses, messages and codes as they stand on AMQP 0-9-1. */

import { isClientId } from "../../contract/client_id.ts";
import { encodeServerMessage } from "../../contract/codec.ts";
import { type ServerMessage, Verdict } from "../../contract/federation_pb.ts";
import type { Message } from "./message.ts";
import { encodeProperties } from "./properties.ts";

/** The topic exchange that clients publish to. */
export const UP = "fl.up";
/** The direct exchange that clients bind their own queue to. */
export const DOWN = "fl.down";

/** The routing key of one client on either exchange. Federation names and client ids may hold dots. */
export function routingKey(federation: string, clientId: string): string {
  return `${federation}.${clientId}`;
}

/** What connection.start says that the endpoint is; a broker is something else. */
export const PRODUCT = "Tributary";

/** The exclusive queue of the one server that a federation has at a broker. */
export function serverQueue(federation: string): string {
  return `${UP}.${federation}`;
}

/** Binds a queue to everything on fl.up that is for a federation: `#` is any number of words. */
export function everyKey(federation: string): string {
  return `${federation}.#`;
}

/** Whose message it is that was published with this key; undefined where it names no client. */
export function clientOf(federation: string, key: string): string | undefined {
  if (!key.startsWith(`${federation}.`)) return undefined;
  const clientId = key.slice(federation.length + 1);
  return isClientId(clientId) ? clientId : undefined;
}

/**
 * The key on fl.down that leads to one connection of a client, which binds its queue with it and
 * names it as reply-to: at a broker two connections of one client have nothing else apart.
 */
export function returnKey(key: string, connection: string): string {
  return `${key}/${connection}`;
}

/** Where answers go: to reply-to if it is the client's own, else to all connections of it. */
export function addressOf(key: string, replyTo: unknown): string {
  return typeof replyTo === "string" && replyTo.startsWith(returnKey(key, "")) ? replyTo : key;
}

/** A routing key is a shortstr of 255 octets, and the client id takes 65 of them with its dot. */
export const LONGEST_FEDERATION_BYTES = 190;

/** How the publisher confirm repeats a verdict. */
export type Confirm = "ack" | "nack";

/**
 * `ack` says that a verdict was given, which the Receipt tells; `nack` that nothing was kept and the
 * same message may be published again later.
 */
export const CONFIRMS = {
  [Verdict.UNSPECIFIED]: "ack",
  [Verdict.ACCEPTED]: "ack",
  [Verdict.HELD]: "ack",
  [Verdict.GAP]: "ack",
  [Verdict.DUPLICATE]: "ack",
  [Verdict.STALE]: "ack",
  [Verdict.EARLY]: "ack",
  [Verdict.MALFORMED]: "ack",
  [Verdict.OVERSIZED]: "ack",
  [Verdict.WRONG_SHAPE]: "ack",
  [Verdict.NON_FINITE]: "ack",
  [Verdict.OUT_OF_RANGE]: "ack",
  [Verdict.OTHER_RUN]: "ack",
  [Verdict.UNAUTHORISED]: "ack",
  [Verdict.BUSY]: "nack",
  [Verdict.NO_SESSION]: "ack",
  [Verdict.UNSUPPORTED]: "ack",
  [Verdict.FINISHED]: "ack",
  [Verdict.FAILED]: "nack",
} as const satisfies Record<Verdict, Confirm>;

/** Transient (delivery mode 1): nothing of a run outlives its server's memory. */
const DOWN_PROPERTIES = encodeProperties({
  contentType: "application/x-protobuf",
  deliveryMode: 1,
});

/** A message to one client, as fl.down routes it. */
export function downMessage(key: string, message: ServerMessage): Message {
  const body = encodeServerMessage(message);
  return { exchange: DOWN, routingKey: key, properties: DOWN_PROPERTIES, body };
}
