import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Packet, parser } from "mqtt-packet";
import { decodeServerMessage, serverMessage } from "../../../src/contract/codec.ts";
import { type ServerMessage, Verdict } from "../../../src/contract/federation_pb.ts";
import { Outbox } from "../../../src/protocols/mqtt/outbox.ts";
import { answer, RUN_ID } from "../../support/scripted_coordinator.ts";
import { task } from "./endpoint_bench.ts";

/** An outbox whose writes end when the test says so, and what was written. */
class Writing {
  readonly packets: Packet[] = [];
  readonly outbox: Outbox;
  readonly #pending: PromiseWithResolvers<void>[] = [];
  #held = false;

  constructor({ receiveMaximum = 100, qos = 1 }: { receiveMaximum?: number; qos?: 0 | 1 } = {}) {
    const packets = parser({ protocolVersion: 5 });
    packets.on("packet", (packet) => this.packets.push(packet));
    this.outbox = new Outbox({
      level: 5,
      topic: "fl/default/down/client-1",
      receiveMaximum,
      write: async (bytes) => {
        packets.parse(Buffer.from(bytes.slice()));
        if (!this.#held) return;
        const pending = Promise.withResolvers<void>();
        this.#pending.push(pending);
        await pending.promise;
      },
    });
    this.outbox.downQos = qos;
  }

  /** From now on writes are taken by nobody. */
  hold(): void {
    this.#held = true;
  }

  /** The held writes end, and later ones at once. */
  release(): void {
    this.#held = false;
    for (const pending of this.#pending.splice(0)) pending.resolve();
  }

  fail(): void {
    for (const pending of this.#pending.splice(0)) pending.reject(new Error("reset"));
  }

  send(message: ServerMessage, signal = new AbortController().signal) {
    return this.outbox.send(message, signal);
  }

  /** What was written, in short: `task 1`, `receipt 2`, or the packet's name. */
  get said(): string[] {
    return this.packets.map((packet) => {
      if (packet.cmd !== "publish") return packet.cmd;
      const { body } = decodeServerMessage(new Uint8Array(packet.payload as Uint8Array));
      if (body.case === "task") return `task ${body.value.round}`;
      return body.case === "receipt" ? `receipt ${body.value.sequence}` : String(body.case);
    });
  }
}

const receipt = (sequence: number) => answer(sequence, Verdict.ACCEPTED);
const puback = (messageId: number): Packet => ({ cmd: "puback", messageId, reasonCode: 0 });

Deno.test("Outbox.send() is taken once it is written, in order", async () => {
  const writing = new Writing();
  writing.hold();
  const outcomes = [1, 2, 3].map((round) => writing.send(task(round)));
  assert.deepEqual(writing.said, ["task 1"]);
  writing.release();
  assert.deepEqual(await Promise.all(outcomes), ["taken", "taken", "taken"]);
  assert.deepEqual(writing.said, ["task 1", "task 2", "task 3"]);
});

Deno.test("Outbox.answer() overtakes sends, and its acknowledgement follows it", async () => {
  const writing = new Writing();
  writing.hold();
  const sends = [1, 2].map((round) => writing.send(task(round)));
  const answers = [1, 2].map((id) => writing.outbox.answer(receipt(id), puback(id)));
  writing.outbox.control({ cmd: "pingresp" });
  writing.release();
  await Promise.all([...sends, ...answers]);
  assert.deepEqual(writing.said, [
    "task 1",
    "pingresp",
    "receipt 1",
    "puback",
    "receipt 2",
    "puback",
    "task 2",
  ]);
});

Deno.test("Outbox.answer() without a subscription gives the acknowledgement alone", async () => {
  const writing = new Writing();
  writing.outbox.downQos = undefined;
  await writing.outbox.answer(receipt(1), puback(1));
  assert.deepEqual(writing.said, ["puback"]);
});

Deno.test("Outbox.send() is gone without a subscription, now or later", async () => {
  const writing = new Writing();
  writing.hold();
  const [begun, waiting] = [writing.send(task(1)), writing.send(task(2))];
  writing.outbox.downQos = undefined;
  assert.equal(await waiting, "gone");
  assert.equal(await writing.send(task(3)), "gone");
  writing.release();
  assert.equal(await begun, "taken");
  assert.deepEqual(writing.said, ["task 1"]);
});

Deno.test("Outbox.send() that is called off is stalled and never written", async () => {
  const writing = new Writing();
  writing.hold();
  const abort = new AbortController();
  const begun = writing.send(task(1), abort.signal);
  const waiting = writing.send(task(2), abort.signal);
  const other = writing.send(task(3));
  abort.abort();
  assert.deepEqual(await Promise.all([begun, waiting]), ["stalled", "stalled"]);
  writing.release();
  assert.equal(await other, "taken");
  assert.deepEqual(writing.said, ["task 1", "task 3"]); // what was begun is finished
  assert.equal(await writing.send(task(4), abort.signal), "stalled");
});

Deno.test("Outbox keeps to the client's Receive Maximum (§4.9)", async () => {
  const writing = new Writing({ receiveMaximum: 2 });
  const sends = [1, 2, 3].map((round) => writing.send(task(round)));
  await Promise.all(sends.slice(0, 2));
  assert.deepEqual(writing.said, ["task 1", "task 2"]);
  writing.outbox.control({ cmd: "pingresp" }); // a control packet needs no room
  writing.outbox.acknowledged(99); // was never sent
  assert.deepEqual(writing.said, ["task 1", "task 2", "pingresp"]);
  writing.outbox.acknowledged(1);
  assert.equal(await sends[2], "taken");
});

Deno.test("Outbox keeps room in the window for answers", async () => {
  const writing = new Writing({ receiveMaximum: 4 });
  const sends = [1, 2, 3, 4].map((round) => writing.send(task(round)));
  await Promise.all(sends.slice(0, 3));
  await writing.outbox.answer(receipt(1), puback(1));
  assert.deepEqual(writing.said, ["task 1", "task 2", "task 3", "receipt 1", "puback"]);
  writing.outbox.abandon();
  assert.equal(await sends[3], "gone");
});

Deno.test("Outbox has no window at QoS 0", async () => {
  const writing = new Writing({ receiveMaximum: 1, qos: 0 });
  const outcomes = await Promise.all([1, 2, 3].map((round) => writing.send(task(round))));
  assert.deepEqual(outcomes, ["taken", "taken", "taken"]);
  assert.ok(writing.packets.every((packet) => packet.cmd === "publish" && packet.qos === 0));
});

Deno.test("Outbox.finish() lets answers leave, refuses sends, and says the last word", async () => {
  const writing = new Writing();
  writing.hold();
  const begun = writing.send(task(1));
  const waiting = writing.send(task(2));
  const answered = writing.outbox.answer(receipt(1), puback(1));
  const finished = writing.outbox.finish({ cmd: "disconnect", reasonCode: 0x8b });
  assert.equal(await waiting, "gone");
  writing.release();
  await Promise.all([begun, answered, finished]);
  assert.deepEqual(writing.said, ["task 1", "receipt 1", "puback", "disconnect"]);
  assert.equal(await writing.send(task(3)), "gone");
  await writing.outbox.answer(receipt(2), puback(2));
  writing.outbox.control({ cmd: "pingresp" });
  assert.equal(writing.packets.length, 4);
});

Deno.test("Outbox.finish() ends when nothing waits, and when an answer has no room", async () => {
  await new Writing().outbox.finish(undefined);
  const writing = new Writing({ receiveMaximum: 1 });
  await writing.outbox.answer(receipt(1), puback(1));
  const stuck = writing.outbox.answer(receipt(2), puback(2));
  await writing.outbox.finish(undefined);
  await stuck;
});

Deno.test("Outbox.abandon() settles everything, whatever is stuck", async () => {
  const writing = new Writing();
  writing.hold();
  const sends = [writing.send(task(1)), writing.send(task(2))];
  const answered = writing.outbox.answer(receipt(1), puback(1));
  const finished = writing.outbox.finish(undefined);
  writing.outbox.abandon();
  assert.deepEqual(await Promise.all(sends), ["gone", "gone"]);
  await Promise.all([answered, finished]);
});

Deno.test("Outbox settles what waited when a write fails, and takes no more", async () => {
  const writing = new Writing();
  writing.hold();
  const sends = [writing.send(task(1)), writing.send(task(2))];
  writing.fail();
  assert.deepEqual(await Promise.all(sends), ["gone", "gone"]);
  assert.equal(await writing.send(task(3)), "gone");
  await writing.outbox.finish(undefined);
});

Deno.test("Outbox.room() waits while a client asks and does not read", async () => {
  const writing = new Writing();
  await writing.outbox.room();
  writing.hold();
  for (let count = 0; count < 100; count++) writing.outbox.control({ cmd: "pingresp" });
  let roomy = false;
  const room = writing.outbox.room().then(() => roomy = true);
  await Promise.resolve();
  assert.equal(roomy, false);
  writing.release();
  await room;
});

Deno.test("Outbox writes a large message without copying it into another", async () => {
  const writing = new Writing();
  const bytes = new Uint8Array(300_000).fill(5);
  const value = { modelRound: 1, totalBytes: 300_000n, offset: 0n, bytes };
  const message = serverMessage({ runId: RUN_ID, body: { case: "modelPart", value } });
  assert.equal(await writing.send(message), "taken");
  const [packet] = writing.packets;
  assert.ok(packet?.cmd === "publish");
  assert.deepEqual(decodeServerMessage(new Uint8Array(packet.payload as Uint8Array)), message);
});
