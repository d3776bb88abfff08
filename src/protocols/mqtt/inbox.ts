/**
 * What one client publishes: judged concurrently, answered and acknowledged in the order of arrival
 * (MQTT 5 and 3.1.1 §4.6), QoS 1 and 2 as §4.3 has them.
 */

import type { IPublishPacket } from "mqtt-packet";
import { arrivalOf } from "../../contract/codec.ts";
import type { Gate } from "../../contract/gate.ts";
import type { Answer, Deliver, Route } from "../../contract/protocol_server.ts";
import type { Packet } from "./packets.ts";
import { ACKNOWLEDGEMENTS, ReasonCode, type Refusal } from "./wire.ts";

export interface InboxOptions {
  readonly route: Route;
  readonly deliver: Deliver;
  readonly gate: Gate;
  /** What MQTT 5 clients were told (§3.2.2.3.3); MQTT 3.1.1 has no such limit, the gate bounds it. */
  readonly receiveMaximum: number;
  /** Puts reason strings on acknowledgements. */
  readonly reasons: boolean;
  /** Takes answer and acknowledgement; resolves once they have left. */
  answer(message: Answer | undefined, acknowledgement: Packet | undefined): Promise<void>;
}

/** What a message costs beside its bytes while its answer is under way. */
const MESSAGE_COST_BYTES = 512;

/** A judgement: the answer for the client, and the code its acknowledgement repeats. */
interface Judgement {
  readonly answer: Answer | undefined;
  readonly code: ReasonCode;
  readonly reason?: string;
}

export class Inbox {
  readonly #options: InboxOptions;
  /** Identifiers between PUBLISH and PUBREL, and whether PUBREC was given. */
  readonly #exactlyOnce = new Map<number, "judged" | "unjudged">();
  #unacknowledged = 0;
  /** Settles when everything before was answered. */
  #turn = Promise.resolve();
  /** Opens the gate for the messages whose answers have not left. */
  readonly #leaving = new Set<() => void>();

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  /** Delivers a message; undefined, or why the connection has to end. */
  take(packet: IPublishPacket, message: Uint8Array): Refusal | undefined {
    const { route, deliver } = this.#options;
    if (this.#isRepeated(packet)) return undefined;
    const refusal = this.#count(packet);
    if (refusal !== undefined) return refusal;
    const judged = deliver(arrivalOf(route, message));
    this.#answer(packet, message.length, judgement(judged));
    return undefined;
  }

  /** Acknowledges a PUBLISH with an error, in its turn; undefined, or why the connection has to end. */
  refuse(packet: IPublishPacket, { code, reason }: Refusal): Refusal | undefined {
    if (this.#isRepeated(packet)) return undefined;
    const refusal = this.#count(packet);
    if (refusal !== undefined) return refusal;
    this.#answer(packet, 0, Promise.resolve({ answer: undefined, code, reason }));
    return undefined;
  }

  /** PUBREL ends a QoS 2 message (§4.3.3). False for an identifier that nothing is known of. */
  release(packetIdentifier: number): boolean {
    const known = this.#exactlyOnce.delete(packetIdentifier);
    if (known) this.#unacknowledged--;
    return known;
  }

  /** The connection is over: nothing holds the gate any more. */
  abandon(): void {
    for (const leave of this.#leaving) leave();
    this.#leaving.clear();
  }

  /** [MQTT-4.3.3-10]: the same QoS 2 identifier before PUBREL is the same message. */
  #isRepeated({ qos, messageId = 0 }: IPublishPacket): boolean {
    const state = qos === 2 ? this.#exactlyOnce.get(messageId) : undefined;
    if (state === "judged") {
      void this.#options.answer(undefined, { cmd: "pubrec", messageId, reasonCode: 0 });
    }
    return state !== undefined;
  }

  #count({ qos, messageId = 0 }: IPublishPacket): Refusal | undefined {
    if (qos === 0) return undefined;
    if (messageId === 0) {
      return { code: ReasonCode.PROTOCOL_ERROR, reason: "the packet identifier is 0" }; // [MQTT-2.2.1-3]
    }
    if (++this.#unacknowledged > this.#options.receiveMaximum) {
      return {
        code: ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
        reason: `more than ${this.#options.receiveMaximum} messages without an acknowledgement`,
      };
    }
    if (qos === 2) this.#exactlyOnce.set(messageId, "unjudged");
    return undefined;
  }

  #answer(packet: IPublishPacket, bytes: number, judged: Promise<Judgement>): void {
    const before = this.#turn;
    const left = Promise.withResolvers<void>();
    this.#leaving.add(left.resolve);
    this.#options.gate.hold(bytes + MESSAGE_COST_BYTES, left.promise);
    this.#turn = (async () => {
      const judgement = await judged;
      await before;
      const acknowledgement = this.#acknowledgement(packet, judgement);
      void this.#options.answer(judgement.answer, acknowledgement).then(() => {
        this.#leaving.delete(left.resolve);
        left.resolve();
      });
    })();
  }

  #acknowledgement(
    { qos, messageId = 0 }: IPublishPacket,
    { code, reason }: Judgement,
  ): Packet | undefined {
    if (qos === 0) return undefined;
    const failed = code >= ReasonCode.UNSPECIFIED_ERROR;
    if (qos === 2 && !failed) this.#exactlyOnce.set(messageId, "judged");
    else this.#unacknowledged--;
    if (qos === 2 && failed) this.#exactlyOnce.delete(messageId); // no PUBREL follows (§4.3.3)
    const cmd = qos === 1 ? "puback" : "pubrec";
    if (!this.#options.reasons || !reason) return { cmd, messageId, reasonCode: code };
    return { cmd, messageId, reasonCode: code, properties: { reasonString: reason } };
  }
}

async function judgement(judged: Promise<Answer | undefined>): Promise<Judgement> {
  const answer = await judged;
  if (answer === undefined) return { answer, code: ReasonCode.SUCCESS };
  return { answer, code: ACKNOWLEDGEMENTS[answer.body.value.verdict] };
}
