/** Addresses, messages and codes as they stand on MQTT 3.1.1 (level 4) and MQTT 5 (level 5). */

import { isClientId } from "../../contract/client_id.ts";
import { Verdict } from "../../contract/federation_pb.ts";

/** The protocol level of a connection: 4 is MQTT 3.1.1, 5 is MQTT 5. */
export type Level = 4 | 5;

/** The topics of one client in one federation. */
export interface Topics {
  readonly up: string;
  readonly down: string;
  readonly state: string;
}

/** The federation name stands percent-encoded, as in the URL, so that it is one topic level. */
export function topicsOf(federation: string, clientId: string): Topics {
  const root = `fl/${encodeURIComponent(federation)}`;
  return {
    up: `${root}/up/${clientId}`,
    down: `${root}/down/${clientId}`,
    state: `${root}/state`,
  };
}

/** The topics of a server that reaches its clients through a broker. */
export interface ServerTopics {
  /** The Topic Filter of every client's up topic. */
  readonly everyUp: string;
  readonly state: string;
  /** A server is subscribed to it, so that a second one finds out that it is there. */
  readonly presence: string;
}

export function serverTopicsOf(federation: string): ServerTopics {
  const root = `fl/${encodeURIComponent(federation)}`;
  return { everyUp: `${root}/up/+`, state: `${root}/state`, presence: `${root}/server` };
}

/** Whose up topic it is; undefined for any other topic. */
export function clientOf(federation: string, topic: string): string | undefined {
  const clientId = topic.slice(topic.lastIndexOf("/") + 1);
  const isUp = isClientId(clientId) && topic === topicsOf(federation, clientId).up;
  return isUp ? clientId : undefined;
}

/** The retained message of the state topic: JSON, so that any MQTT tool shows it. */
export function stateMessage(
  state: { federation: string; contractVersion: number; largestMessageBytes: number },
): Uint8Array<ArrayBuffer> {
  const { federation, contractVersion, largestMessageBytes } = state;
  return new TextEncoder().encode(JSON.stringify({
    federation,
    contract_version: contractVersion,
    largest_message_bytes: largestMessageBytes,
  }));
}

/** Beside its message a PUBLISH has a topic, a packet identifier and properties: room for them. */
export const PUBLISH_OVERHEAD_BYTES = 4096;

/** The Maximum Packet Size of a server that takes messages of `maxMessageBytes`. */
export function maxPacketBytes(maxMessageBytes: number): number {
  return maxMessageBytes + PUBLISH_OVERHEAD_BYTES;
}

/** The reason codes of MQTT 5 §2.4 that are given or must be known here. */
export const ReasonCode = {
  SUCCESS: 0x00,
  DISCONNECT_WITH_WILL: 0x04,
  NO_MATCHING_SUBSCRIBERS: 0x10,
  NO_SUBSCRIPTION_EXISTED: 0x11,
  UNSPECIFIED_ERROR: 0x80,
  MALFORMED_PACKET: 0x81,
  PROTOCOL_ERROR: 0x82,
  IMPLEMENTATION_SPECIFIC: 0x83,
  UNSUPPORTED_PROTOCOL_VERSION: 0x84,
  CLIENT_IDENTIFIER_NOT_VALID: 0x85,
  BAD_USER_NAME_OR_PASSWORD: 0x86,
  NOT_AUTHORISED: 0x87,
  BANNED: 0x8a,
  SERVER_SHUTTING_DOWN: 0x8b,
  BAD_AUTHENTICATION_METHOD: 0x8c,
  KEEP_ALIVE_TIMEOUT: 0x8d,
  SESSION_TAKEN_OVER: 0x8e,
  TOPIC_FILTER_INVALID: 0x8f,
  TOPIC_NAME_INVALID: 0x90,
  PACKET_IDENTIFIER_NOT_FOUND: 0x92,
  RECEIVE_MAXIMUM_EXCEEDED: 0x93,
  TOPIC_ALIAS_INVALID: 0x94,
  PACKET_TOO_LARGE: 0x95,
  QUOTA_EXCEEDED: 0x97,
  ADMINISTRATIVE_ACTION: 0x98,
  PAYLOAD_FORMAT_INVALID: 0x99,
  SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: 0x9e,
  SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: 0xa1,
  WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: 0xa2,
} as const;
export type ReasonCode = typeof ReasonCode[keyof typeof ReasonCode];

/** Why a connection or a packet is turned away; `reason` is one sentence for people. */
export interface Refusal {
  readonly code: ReasonCode;
  readonly reason: string;
}

/**
 * The PUBACK or PUBREC reason code that repeats a verdict to an MQTT 5 client. Codes from 0x80 on
 * tell a stock client's publish call that it failed, so they stand for what was not taken.
 */
export const ACKNOWLEDGEMENTS = {
  [Verdict.UNSPECIFIED]: ReasonCode.SUCCESS,
  [Verdict.ACCEPTED]: ReasonCode.SUCCESS,
  [Verdict.HELD]: ReasonCode.SUCCESS,
  [Verdict.GAP]: ReasonCode.SUCCESS,
  [Verdict.DUPLICATE]: ReasonCode.SUCCESS,
  [Verdict.STALE]: ReasonCode.SUCCESS,
  [Verdict.EARLY]: ReasonCode.SUCCESS,
  [Verdict.MALFORMED]: ReasonCode.PAYLOAD_FORMAT_INVALID,
  [Verdict.OVERSIZED]: ReasonCode.QUOTA_EXCEEDED,
  [Verdict.WRONG_SHAPE]: ReasonCode.PAYLOAD_FORMAT_INVALID,
  [Verdict.NON_FINITE]: ReasonCode.PAYLOAD_FORMAT_INVALID,
  [Verdict.OUT_OF_RANGE]: ReasonCode.PAYLOAD_FORMAT_INVALID,
  [Verdict.OTHER_RUN]: ReasonCode.IMPLEMENTATION_SPECIFIC,
  [Verdict.UNAUTHORISED]: ReasonCode.NOT_AUTHORISED,
  [Verdict.BUSY]: ReasonCode.QUOTA_EXCEEDED,
  [Verdict.NO_SESSION]: ReasonCode.IMPLEMENTATION_SPECIFIC,
  [Verdict.UNSUPPORTED]: ReasonCode.IMPLEMENTATION_SPECIFIC,
  [Verdict.FINISHED]: ReasonCode.SUCCESS,
  [Verdict.FAILED]: ReasonCode.UNSPECIFIED_ERROR,
} as const satisfies Record<Verdict, ReasonCode>;

/**
 * The CONNACK return code of MQTT 3.1.1 §3.2.2.3 for a refusal; undefined where that version just
 * closes the connection.
 */
export function returnCode(code: ReasonCode): number | undefined {
  switch (code) {
    case ReasonCode.UNSUPPORTED_PROTOCOL_VERSION:
      return 1;
    case ReasonCode.CLIENT_IDENTIFIER_NOT_VALID:
      return 2;
    case ReasonCode.QUOTA_EXCEEDED:
      return 3;
    case ReasonCode.NOT_AUTHORISED:
      return 5;
    default:
      return undefined;
  }
}

/**
 * Judges a Topic Filter of SUBSCRIBE: the granted QoS, at most 1, or why it is refused. A client
 * reads its own down topic and the state, and nothing that would cover more.
 */
export function subscription(
  topics: Topics,
  asked: { readonly topic: string; readonly qos: number },
): { readonly granted: 0 | 1 } | Refusal {
  const { topic, qos } = asked;
  if (topic === topics.down || topic === topics.state) return { granted: qos === 0 ? 0 : 1 };
  if (!isFilter(topic)) {
    return { code: ReasonCode.TOPIC_FILTER_INVALID, reason: "this is no topic filter" };
  }
  if (topic.startsWith("$share/")) {
    return {
      code: ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
      reason: "shared subscriptions are not available here",
    };
  }
  if (/[+#]/.test(topic)) {
    return {
      code: ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
      reason: "wildcard subscriptions are not available here",
    };
  }
  return {
    code: ReasonCode.NOT_AUTHORISED,
    reason: `a client may subscribe to ${topics.down} and ${topics.state} only`,
  };
}

/** §4.7.1 and §4.7.3: not empty, no NUL, `#` last and alone on its level, `+` alone on its. */
function isFilter(text: string): boolean {
  if (text.length === 0 || text.includes("\0")) return false;
  const levels = text.split("/");
  return levels.every((level, index) =>
    level === "+" || (level === "#" && index === levels.length - 1) || !/[+#]/.test(level)
  );
}
