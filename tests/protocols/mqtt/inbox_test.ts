import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IPublishPacket } from "mqtt-packet";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { Gate } from "../../../src/contract/gate.ts";
import type { Answer, Arrival } from "../../../src/contract/protocol_server.ts";
import { Inbox } from "../../../src/protocols/mqtt/inbox.ts";
import type { Packet } from "../../../src/protocols/mqtt/packets.ts";
import { ReasonCode } from "../../../src/protocols/mqtt/wire.ts";
import { Awaitable } from "../../support/awaitable.ts";
import { answer } from "../../support/scripted_coordinator.ts";
import { heartbeatBytes } from "./endpoint_bench.ts";

/** An inbox between a coordinator that judges when told, and an outbox that notes. */
class Judging {
  readonly arrivals: Arrival[] = [];
  readonly answered = new Awaitable<{ message: Answer | undefined; packet: Packet | undefined }>();
  readonly gate = new Gate(2000);
  readonly inbox: Inbox;
  readonly #verdicts: PromiseWithResolvers<Answer | undefined>[] = [];

  constructor({ receiveMaximum = 10 } = {}) {
    this.inbox = new Inbox({
      route: { wire: "mqtt", id: 1 },
      deliver: (arrival) => {
        this.arrivals.push(arrival);
        const verdict = Promise.withResolvers<Answer | undefined>();
        this.#verdicts.push(verdict);
        return verdict.promise;
      },
      gate: this.gate,
      receiveMaximum,
      reasons: true,
      answer: (message, packet) => {
        this.answered.push({ message, packet });
        return Promise.resolve();
      },
    });
  }

  take(messageId: number, more: Partial<IPublishPacket> = {}) {
    return this.inbox.take(publish(messageId, more), heartbeatBytes("client-1", messageId));
  }

  /** Judges the nth message, counted from 0. */
  judge(index: number, verdict = Verdict.ACCEPTED): void {
    this.#verdicts[index]?.resolve(answer(index, verdict));
  }

  /** The first `count` acknowledgements, in short. */
  async acknowledged(count: number): Promise<string[]> {
    const some = await this.answered.some(count, () => true);
    return some.map(({ packet }) =>
      packet === undefined ? "none" : `${packet.cmd} ${packet.messageId}`
    );
  }
}

function publish(messageId: number, more: Partial<IPublishPacket> = {}): IPublishPacket {
  const payload = Buffer.alloc(0);
  return {
    cmd: "publish",
    topic: "up",
    payload,
    qos: 1,
    dup: false,
    retain: false,
    messageId,
    ...more,
  };
}

Deno.test("Inbox.take() delivers at once and acknowledges in the order of arrival (§4.6)", async () => {
  const judging = new Judging();
  for (const id of [1, 2]) judging.take(id);
  judging.take(3, { qos: 2 });
  judging.take(0, { qos: 0 });
  assert.equal(judging.arrivals.length, 4);
  for (const index of [3, 2, 1, 0]) judging.judge(index);
  assert.deepEqual(await judging.acknowledged(4), ["puback 1", "puback 2", "pubrec 3", "none"]);
});

Deno.test("Inbox.take() acknowledges with the code of the verdict", async () => {
  const judging = new Judging();
  judging.take(1);
  judging.judge(0, Verdict.NON_FINITE);
  const { packet } = await judging.answered.find(() => true);
  assert.deepEqual(packet, { cmd: "puback", messageId: 1, reasonCode: 0x99 });
});

Deno.test("Inbox.take() delivers a repeated QoS 2 message once ([MQTT-4.3.3-10])", async () => {
  const judging = new Judging();
  judging.take(1, { qos: 2 });
  judging.take(1, { qos: 2, dup: true }); // not judged yet: its PUBREC will come
  judging.judge(0);
  await judging.acknowledged(1);
  judging.take(1, { qos: 2, dup: true }); // the PUBREC was lost: it comes again
  assert.deepEqual(await judging.acknowledged(2), ["pubrec 1", "pubrec 1"]);
  assert.equal(judging.arrivals.length, 1);
  assert.ok(judging.inbox.release(1));
  assert.ok(!judging.inbox.release(1));
  judging.take(1, { qos: 2 });
  assert.equal(judging.arrivals.length, 2);
});

Deno.test("Inbox.take() ends a QoS 2 message that failed with its PUBREC (§4.3.3)", async () => {
  const judging = new Judging({ receiveMaximum: 1 });
  judging.take(1, { qos: 2 });
  judging.judge(0, Verdict.MALFORMED);
  await judging.acknowledged(1);
  assert.equal(judging.take(1, { qos: 2 }), undefined);
  assert.equal(judging.arrivals.length, 2);
});

Deno.test("Inbox.take() refuses what exceeds the Receive Maximum (§3.3.4)", async () => {
  const judging = new Judging({ receiveMaximum: 2 });
  assert.equal(judging.take(1), undefined);
  assert.equal(judging.take(2, { qos: 2 }), undefined);
  assert.equal(judging.take(0, { qos: 0 }), undefined); // does not count
  assert.equal(judging.take(3)?.code, ReasonCode.RECEIVE_MAXIMUM_EXCEEDED);
  const again = new Judging({ receiveMaximum: 2 });
  again.take(1);
  again.take(2, { qos: 2 });
  again.judge(0);
  again.judge(1);
  await again.acknowledged(2);
  assert.equal(again.take(3), undefined); // PUBACK made room
  assert.equal(again.take(4)?.code, ReasonCode.RECEIVE_MAXIMUM_EXCEEDED); // PUBREC does not
  const released = new Judging({ receiveMaximum: 1 });
  released.take(1, { qos: 2 });
  released.inbox.release(1);
  assert.equal(released.take(2), undefined); // PUBCOMP does
});

Deno.test("Inbox.take() refuses the packet identifier 0 ([MQTT-2.2.1-3])", () => {
  const judging = new Judging();
  assert.equal(judging.take(0)?.code, ReasonCode.PROTOCOL_ERROR);
  assert.equal(judging.arrivals.length, 0);
});

Deno.test("Inbox.refuse() acknowledges in its turn, with the reason, and delivers nothing", async () => {
  const judging = new Judging();
  judging.take(1);
  const refusal = { code: ReasonCode.NOT_AUTHORISED, reason: "not yours" };
  judging.inbox.refuse(publish(2), refusal);
  judging.judge(0);
  assert.deepEqual(await judging.acknowledged(2), ["puback 1", "puback 2"]);
  assert.deepEqual(judging.answered.all[1], {
    message: undefined,
    packet: {
      cmd: "puback",
      messageId: 2,
      reasonCode: 0x87,
      properties: { reasonString: "not yours" },
    },
  });
  assert.equal(judging.arrivals.length, 1);
});

Deno.test("Inbox holds the gate until the answer has left, or nobody waits for it", async () => {
  const judging = new Judging();
  for (let id = 1; id <= 4; id++) judging.take(id); // each costs its bytes and 512
  let open = false;
  const entered = judging.gate.enter().then(() => open = true);
  await Promise.resolve();
  assert.equal(open, false);
  judging.judge(0);
  await entered;
  judging.take(5);
  const again = judging.gate.enter();
  judging.inbox.abandon();
  await again;
});
