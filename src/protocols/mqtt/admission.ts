/** What a CONNECT asks for, and what the CONNACK grants (MQTT 5 and 3.1.1 §3.1, §3.2). No I/O. */

import type { IConnackPacket, IConnectPacket } from "mqtt-packet";
import { isClientId } from "../../contract/client_id.ts";
import {
  type Level,
  maxPacketBytes,
  ReasonCode,
  type Refusal,
  returnCode,
  type Topics,
  topicsOf,
} from "./wire.ts";

/** What the endpoint grants to everybody. */
export interface Terms {
  readonly federation: string;
  readonly maxMessageBytes: number;
  /** Unacknowledged QoS 1 and 2 messages of one client. */
  readonly receiveMaximum: number;
  /** A connection that is silent for longer is lost. */
  readonly silenceLimitMs: number;
}

/** An admissible connection, as its CONNECT describes it. */
export interface Admission {
  readonly level: Level;
  readonly clientId: string;
  readonly topics: Topics;
  /** Silence beyond it ends the connection. */
  readonly silenceLimitMs: number;
  /** Imposed on an MQTT 5 client (§3.2.2.3.14), in seconds. */
  readonly serverKeepAlive: number | undefined;
  /** Our unacknowledged QoS 1 messages, at most. */
  readonly receiveMaximum: number;
  readonly will: Uint8Array | undefined;
  /** The client wants reason strings on acknowledgements too (§3.1.2.11.7). */
  readonly wantsReasons: boolean;
}

/** MQTT 3.1.1 has no Receive Maximum; this is what such a client is sent at once. */
const RECEIVE_MAXIMUM_3_1_1 = 64;
/** MQTT 5 §3.1.2.11.3: the value when the property is absent. */
const RECEIVE_MAXIMUM_5 = 65_535;
/** A client is lost after one and a half times its Keep Alive (§3.1.2.10). */
const KEEP_ALIVE_FACTOR = 1.5;

/** Judges a CONNECT whose protocol level is 4 or 5. */
export function admit(connect: IConnectPacket, terms: Terms): Admission | Refusal {
  const level: Level = connect.protocolVersion === 5 ? 5 : 4;
  const { clientId, will, properties = {} } = connect;
  const fault = faultOf(connect);
  if (fault !== undefined) return fault;
  if (properties.authenticationMethod !== undefined) {
    return {
      code: ReasonCode.BAD_AUTHENTICATION_METHOD,
      reason: "enhanced authentication is not available; the token travels in Hello",
    };
  }
  if (!isClientId(clientId)) {
    return {
      code: ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
      reason: "the client identifier must be the client id: 1 to 64 characters of " +
        "A-Z a-z 0-9 . _ -",
    };
  }
  const topics = topicsOf(terms.federation, clientId);
  if (will !== undefined && (will.topic !== topics.up || will.retain === true)) {
    return {
      code: ReasonCode.NOT_AUTHORISED,
      reason: `the will must be for ${topics.up} and not be retained: this is the federation ` +
        `${terms.federation}, with which its addresses end`,
    };
  }
  if (will !== undefined && will.payload.length > terms.maxMessageBytes) {
    return {
      code: ReasonCode.PACKET_TOO_LARGE,
      reason: `a will may have ${terms.maxMessageBytes} bytes`,
    };
  }
  const { maximumPacketSize = Infinity, receiveMaximum = RECEIVE_MAXIMUM_5 } = properties;
  const packetBytes = maxPacketBytes(terms.maxMessageBytes);
  if (maximumPacketSize < packetBytes) {
    return {
      code: ReasonCode.PACKET_TOO_LARGE,
      reason: `packets here have up to ${packetBytes} bytes, the client takes ${maximumPacketSize}`,
    };
  }
  return {
    level,
    clientId,
    topics,
    ...keepAlive(level, (connect.keepalive ?? 0) * 1000, terms.silenceLimitMs),
    receiveMaximum: level === 5 ? receiveMaximum : RECEIVE_MAXIMUM_3_1_1,
    will: will === undefined ? undefined : new Uint8Array(will.payload as Uint8Array),
    wantsReasons: properties.requestProblemInformation !== false,
  };
}

/** What mqtt-packet lets pass and the specification does not. */
function faultOf(connect: IConnectPacket): Refusal | undefined {
  const { username, password, protocolVersion, properties = {}, will } = connect;
  const malformed = (reason: string) => ({ code: ReasonCode.MALFORMED_PACKET, reason });
  const protocolError = (reason: string) => ({ code: ReasonCode.PROTOCOL_ERROR, reason });
  if (protocolVersion !== 5 && password !== undefined && username === undefined) {
    return malformed("a password without a user name"); // [MQTT-3.1.2-22] of 3.1.1
  }
  if (will !== undefined && (will.qos ?? 0) > 2) return malformed("a will of QoS 3");
  for (const [name, value] of Object.entries(properties)) {
    // The library makes an array of a property that is there twice, which is an error for all
    // but User Property (§3.1.2.11).
    if (Array.isArray(value)) return protocolError(`the property ${name} is there twice`);
  }
  for (const name of ["receiveMaximum", "maximumPacketSize"] as const) {
    if (properties[name] === 0) return protocolError(`the property ${name} is 0`);
  }
  return undefined;
}

/** The longest silence granted: 1.5 times the client's Keep Alive, within the federation's limit. */
function keepAlive(
  level: Level,
  askedMs: number,
  silenceLimitMs: number,
): Pick<Admission, "silenceLimitMs" | "serverKeepAlive"> {
  const askedLimitMs = askedMs * KEEP_ALIVE_FACTOR;
  if (askedMs > 0 && askedLimitMs <= silenceLimitMs) {
    return { silenceLimitMs: askedLimitMs, serverKeepAlive: undefined };
  }
  if (level === 5) {
    const seconds = Math.floor(silenceLimitMs / KEEP_ALIVE_FACTOR / 1000);
    const serverKeepAlive = Math.min(Math.max(seconds, 1), 65_535);
    return { silenceLimitMs: serverKeepAlive * 1000 * KEEP_ALIVE_FACTOR, serverKeepAlive };
  }
  // MQTT 3.1.1 cannot be told another value; without one the federation's limit holds.
  return {
    silenceLimitMs: askedMs > 0 ? askedLimitMs : silenceLimitMs,
    serverKeepAlive: undefined,
  };
}

/** The CONNACK of an admitted connection. There are no sessions that outlive one (§4.1). */
export function connack(admission: Admission, terms: Terms): IConnackPacket {
  if (admission.level === 4) return { cmd: "connack", sessionPresent: false, returnCode: 0 };
  const { serverKeepAlive } = admission;
  return {
    cmd: "connack",
    sessionPresent: false,
    reasonCode: ReasonCode.SUCCESS,
    properties: {
      sessionExpiryInterval: 0,
      receiveMaximum: terms.receiveMaximum,
      maximumPacketSize: maxPacketBytes(terms.maxMessageBytes),
      topicAliasMaximum: 0,
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
      ...(serverKeepAlive === undefined ? {} : { serverKeepAlive }),
    },
  };
}

/** The CONNACK that refuses; undefined where MQTT 3.1.1 has none and closes the connection. */
export function refusingConnack(refusal: Refusal, level: Level): IConnackPacket | undefined {
  const { code, reason } = refusal;
  if (level === 5) {
    const properties = { reasonString: reason };
    return { cmd: "connack", sessionPresent: false, reasonCode: code, properties };
  }
  const legacy = returnCode(code);
  return legacy === undefined
    ? undefined
    : { cmd: "connack", sessionPresent: false, returnCode: legacy };
}
