/** An admitted client's session: what each control packet does (MQTT 5 and 3.1.1 §3). */

import { Buffer } from "node:buffer";
import type {
  IDisconnectPacket,
  IPublishPacket,
  ISubscribePacket,
  IUnsubscribePacket,
} from "mqtt-packet";
import { arrivalOf, serverMessage } from "../../contract/codec.ts";
import { ClosingReason, type ServerMessage } from "../../contract/federation_pb.ts";
import type { Gate } from "../../contract/gate.ts";
import type { Route, SendOutcome } from "../../contract/protocol_server.ts";
import { type Admission, connack } from "./admission.ts";
import type { Endpoint } from "./endpoint.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import type { Packet } from "./packets.ts";
import { ReasonCode, type Refusal, subscription } from "./wire.ts";

export interface SessionOptions {
  readonly admission: Admission;
  readonly route: Route;
  readonly endpoint: Endpoint;
  readonly gate: Gate;
  /** Writes all of some bytes. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Tells the operator, once a connection, that something was refused. */
  refused(reason: string): void;
  /** Closes the connection once the flush is done. */
  close(reason: string, flush: Promise<void>): void;
}

/** How a session ends towards the coordinator. */
interface Ending {
  readonly reason: string;
  /** The last will becomes a message (§3.1.2.5). */
  readonly will: boolean;
  /** The coordinator is told; it is not where the end was its own wish. */
  readonly detached: boolean;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  #readsState = false;
  #over = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { admission, route, endpoint, gate, write } = options;
    const { level, topics, receiveMaximum } = admission;
    this.#outbox = new Outbox({
      level,
      topic: topics.down,
      receiveMaximum,
      write,
    });
    this.#inbox = new Inbox({
      route,
      deliver: endpoint.upcalls.deliver,
      gate,
      receiveMaximum: level === 5 ? endpoint.terms.receiveMaximum : Infinity,
      reasons: admission.wantsReasons,
      answer: (message, acknowledgement) => this.#outbox.answer(message, acknowledgement),
    });
    this.#outbox.control(connack(admission, endpoint.terms));
  }

  get route(): Route {
    return this.#options.route;
  }

  get clientId(): string {
    return this.#options.admission.clientId;
  }

  send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    return this.#outbox.send(message, signal);
  }

  /** Resolves while the client reads what it asks for. */
  room(): Promise<void> {
    return this.#outbox.room();
  }

  take(packet: Packet): void {
    switch (packet.cmd) {
      case "publish":
        return this.#publish(packet);
      case "puback":
        return this.#outbox.acknowledged(packet.messageId ?? 0);
      case "pubrel": {
        const { messageId = 0 } = packet;
        const known = this.#inbox.release(messageId);
        const reasonCode = known ? ReasonCode.SUCCESS : ReasonCode.PACKET_IDENTIFIER_NOT_FOUND;
        return this.#outbox.control({ cmd: "pubcomp", messageId, reasonCode });
      }
      case "subscribe":
        return this.#subscribe(packet);
      case "unsubscribe":
        return this.#unsubscribe(packet);
      case "pingreq":
        return this.#outbox.control({ cmd: "pingresp" });
      case "disconnect":
        return this.#disconnect(packet);
      case "auth":
      case "connect":
      case "connack":
      case "suback":
      case "unsuback":
      case "pingresp":
      case "pubrec":
      case "pubcomp":
        return this.#protocolError(
          `${packet.cmd.toUpperCase()} is not expected from a client here`,
        );
      default:
        packet satisfies never;
    }
  }

  /** The client broke the protocol: the session ends, MQTT 5 says why (§4.13). */
  fault(refusal: Refusal): void {
    const { refused } = this.#options;
    refused(`${this.clientId}: ${refusal.reason}`);
    this.#leave({ reason: refusal.reason, will: true, detached: true }, refusal);
  }

  /** The client is there no more. */
  lose(reason: string, refusal?: Refusal): void {
    this.#leave({ reason, will: true, detached: true }, refusal);
    if (refusal === undefined) this.abandon();
  }

  /** Ends the session by the server's wish. */
  end(refusal: Refusal, { detached }: { detached: boolean }): void {
    this.#leave({ reason: refusal.reason, will: false, detached }, refusal);
  }

  /**
   * The same client connected again (§3.1.4, [MQTT-3.1.4-3]). MQTT 3.1.1 cannot say so, and then two
   * clients of one id would take over from each other for ever: Closing tells the loser not to
   * redial. No will becomes a message, as the client is there.
   */
  replace(): void {
    const reason = "the same client connected again";
    const { runId } = this.#outbox;
    if (runId !== undefined) {
      const value = { reason: ClosingReason.REPLACED, detail: reason };
      const closing = serverMessage({ runId, body: { case: "closing", value } });
      void this.#outbox.answer(closing, undefined);
    }
    this.end({ code: ReasonCode.SESSION_TAKEN_OVER, reason }, { detached: true });
  }

  /** What has not left by now never will. */
  abandon(): void {
    this.#outbox.abandon();
  }

  /** §3.3 */
  #publish(packet: IPublishPacket): void {
    const { admission: { level, topics }, endpoint: { terms } } = this.#options;
    const fault = publishFault(packet);
    if (fault !== undefined) return this.fault(fault);
    if (packet.topic !== topics.up || packet.retain) {
      const code = ReasonCode.NOT_AUTHORISED;
      const reason = `a client may publish to ${topics.up} only, and not retained`;
      // MQTT 3.1.1 and QoS 0 have no acknowledgement that could say so.
      if (level === 4 || packet.qos === 0) return this.fault({ code, reason });
      this.#options.refused(`${this.clientId}: ${reason}`);
      return this.#faultIf(this.#inbox.refuse(packet, { code, reason }));
    }
    const message = packet.payload as Uint8Array<ArrayBuffer>; // the parser makes no strings
    if (message.length > terms.maxMessageBytes) {
      const reason = `a message of ${message.length} bytes, the limit is ${terms.maxMessageBytes}`;
      return this.fault({ code: ReasonCode.PACKET_TOO_LARGE, reason });
    }
    // A plain view of the library's Buffer, whose `slice` would not copy.
    const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
    this.#faultIf(this.#inbox.take(packet, bytes));
  }

  /** §3.8 */
  #subscribe(packet: ISubscribePacket): void {
    const { admission: { level, topics }, endpoint, refused } = this.#options;
    const { messageId = 0, subscriptions, properties = {} } = packet;
    if (messageId === 0 || subscriptions.length === 0) {
      return this.#protocolError("a SUBSCRIBE without packet identifier or topic filter");
    }
    if (properties.subscriptionIdentifier !== undefined) { // §3.2.2.3.12
      const code = ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
      return this.fault({ code, reason: "subscription identifiers are not available here" });
    }
    const granted: number[] = [];
    let sendsState = false;
    for (const asked of subscriptions) {
      const judged = subscription(topics, asked);
      if ("code" in judged) {
        if (level === 5 && isUnavailable(judged.code)) return this.fault(judged);
        refused(`${this.clientId}: ${judged.reason}`);
        granted.push(level === 5 ? judged.code : ReasonCode.UNSPECIFIED_ERROR);
      } else {
        granted.push(judged.granted);
        if (asked.topic === topics.down) {
          this.#outbox.downQos = judged.granted;
        } else {
          // Retain Handling: 0 always, 1 for a new subscription only, 2 never (§3.3.1.3).
          sendsState ||= !asked.rh || (asked.rh === 1 && !this.#readsState);
          this.#readsState = true;
        }
      }
    }
    this.#outbox.control({ cmd: "suback", messageId, granted });
    if (sendsState) this.#sendState(topics.state, endpoint.state);
  }

  /** Published at QoS 0, so at most that for every subscription (§3.8.4). */
  #sendState(topic: string, state: Uint8Array<ArrayBuffer>): void {
    const payload = Buffer.from(state.buffer, state.byteOffset, state.length);
    this.#outbox.control({ cmd: "publish", topic, qos: 0, dup: false, retain: true, payload });
  }

  /** §3.10 */
  #unsubscribe(packet: IUnsubscribePacket): void {
    const { topics } = this.#options.admission;
    const { messageId = 0, unsubscriptions } = packet;
    if (messageId === 0 || unsubscriptions.length === 0) {
      return this.#protocolError("an UNSUBSCRIBE without packet identifier or topic filter");
    }
    const granted = unsubscriptions.map((topic) => {
      const existed = topic === topics.down
        ? this.#outbox.downQos !== undefined
        : topic === topics.state && this.#readsState;
      if (topic === topics.down) this.#outbox.downQos = undefined;
      if (topic === topics.state) this.#readsState = false;
      return existed ? ReasonCode.SUCCESS : ReasonCode.NO_SUBSCRIPTION_EXISTED;
    });
    this.#outbox.control({ cmd: "unsuback", messageId, granted });
  }

  /** §3.14 */
  #disconnect({ reasonCode = ReasonCode.SUCCESS, properties = {} }: IDisconnectPacket): void {
    if ((properties.sessionExpiryInterval ?? 0) > 0) { // §3.14.2.2.2
      return this.#protocolError("sessions do not outlive their connection here");
    }
    const will = reasonCode !== ReasonCode.SUCCESS; // [MQTT-3.14.4-3]
    this.#leave({ reason: "the client disconnected", will, detached: true }, undefined);
  }

  #protocolError(reason: string): void {
    this.fault({ code: ReasonCode.PROTOCOL_ERROR, reason });
  }

  #faultIf(refusal: Refusal | undefined): void {
    if (refusal !== undefined) this.fault(refusal);
  }

  /** The route is over, once; what was taken for the client still leaves. */
  #leave({ reason, will, detached }: Ending, refusal: Refusal | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const { admission, route, endpoint, close } = this.#options;
    endpoint.strike(this);
    this.#inbox.abandon();
    close(reason, this.#outbox.finish(this.#farewell(refusal)));
    const { deliver } = endpoint.upcalls;
    if (will && admission.will !== undefined) void deliver(arrivalOf(route, admission.will));
    if (detached) void deliver({ kind: "detached", route, reason });
  }

  /** MQTT 3.1.1 has no DISCONNECT from the server. */
  #farewell(refusal: Refusal | undefined): Packet | undefined {
    if (refusal === undefined || this.#options.admission.level === 4) return undefined;
    const { code: reasonCode, reason: reasonString } = refusal;
    return { cmd: "disconnect", reasonCode, properties: { reasonString } };
  }
}

/** What MQTT 5 §3.3 forbids in any PUBLISH; MQTT 3.1.1 has no properties. */
function publishFault(packet: IPublishPacket): Refusal | undefined {
  const { topic, qos, dup, properties = {} } = packet;
  if (dup && qos === 0) { // [MQTT-3.3.1-2]
    return { code: ReasonCode.PROTOCOL_ERROR, reason: "a repeated PUBLISH of QoS 0" };
  }
  if (properties.topicAlias !== undefined) {
    return { code: ReasonCode.TOPIC_ALIAS_INVALID, reason: "topic aliases are not available here" };
  }
  if (properties.subscriptionIdentifier !== undefined) { // [MQTT-3.3.4-6]
    const reason = "a client's PUBLISH has a subscription identifier";
    return { code: ReasonCode.PROTOCOL_ERROR, reason };
  }
  if (topic === "" || /[+#\0]/.test(topic)) {
    return { code: ReasonCode.TOPIC_NAME_INVALID, reason: "this is no topic name" };
  }
  return undefined;
}

/** Announced as unavailable in CONNACK, so that using it is a protocol error (§3.2.2.3.11, .13). */
function isUnavailable(code: ReasonCode): boolean {
  return code === ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED ||
    code === ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
}
