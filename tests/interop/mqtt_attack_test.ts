/** Somebody at a real Mosquitto who reads everything and publishes anywhere, and a client with a token. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  clientMessage,
  encodeClientMessage,
  encodeServerMessage,
  serverMessage,
} from "../../src/contract/codec.ts";
import { ClosingReason, LeaveReason, Verdict } from "../../src/contract/federation_pb.ts";
import { dialSealed } from "../../src/contract/sealed_connection.ts";
import { options } from "../../src/protocols/mqtt/broker_options.ts";
import { BrokeredMqttServer } from "../../src/protocols/mqtt/broker_server.ts";
import { dial } from "../../src/protocols/mqtt/client.ts";
import { type Of, RawClient } from "../protocols/mqtt/raw_client.ts";
import { serverOptions } from "../protocols/subject.ts";
import { heartbeat, hello } from "../support/peer.ts";
import { RUN_ID } from "../support/scripted_coordinator.ts";
import { RULE, tokenFor } from "../support/tokens.ts";
import { BrokerBench } from "./brokers/bench.ts";
import { withPrograms } from "./brokers/installed.ts";
import { Mosquitto } from "./brokers/mosquitto.ts";

const TOPICS = { up: "fl/default/up/victim", down: "fl/default/down/victim" };

/** What it has read so far on the victim's topics. */
function recorded(attacker: RawClient): Of<"publish">[] {
  return attacker.heard.all.filter((packet): packet is Of<"publish"> => packet.cmd === "publish");
}

/** Messages that anybody can make up. */
function forged(): { topic: string; payload: Uint8Array }[] {
  const sequence = 1;
  const up = [
    { case: "leave", value: { reason: LeaveReason.LOST, nonce: new Uint8Array(16).fill(9) } },
    { case: "leave", value: { reason: LeaveReason.SHUTTING_DOWN } },
    { case: "hello", value: { contractVersion: 1, nonce: new Uint8Array(16), samples: 1 } },
    { case: "hello", value: { contractVersion: 1, samples: 1, token: tokenFor("attacker") } },
    { case: "sealed", value: { body: new Uint8Array(9), tag: new Uint8Array(32) } },
  ] as const;
  const down = [
    { case: "closing", value: { reason: ClosingReason.REPLACED, detail: "go away" } },
    { case: "finish", value: { round: 1, reason: "done" } },
    { case: "receipt", value: { sequence: 2, verdict: Verdict.UNAUTHORISED } },
    { case: "sealed", value: { body: new Uint8Array(), tag: new Uint8Array(32) } },
  ] as const;
  const noise = new Uint8Array([255, 254, 253]);
  return [
    ...Object.values(TOPICS).map((topic) => ({ topic, payload: noise })),
    ...up.map((body) => ({
      topic: TOPICS.up,
      payload: encodeClientMessage(clientMessage({ clientId: "victim", sequence, body })),
    })),
    ...down.map((body) => ({
      topic: TOPICS.down,
      payload: encodeServerMessage(serverMessage({ runId: RUN_ID, body })),
    })),
  ];
}

await withPrograms(["mosquitto"], async () => {
  const broker = await Mosquitto.start();
  globalThis.addEventListener("unload", () => broker.disposeNow());

  Deno.test("whoever reads and writes everything at a broker can neither act for a client nor end its connection", async () => {
    const server = new BrokeredMqttServer(
      { ...serverOptions("mqtt@broker"), tokens: RULE },
      options.parse({ url: broker.url }),
    );
    const token = tokenFor("victim");
    await using bench = await BrokerBench.open(
      server,
      (url, options) => dialSealed(url, { ...options, token }, dial),
    );
    await using attacker = await RawClient.join(broker.url, "attacker", { subscribes: false });
    const subscriptions = Object.values(TOPICS).map((topic) => ({ topic, qos: 0 as const }));
    await attacker.send({ cmd: "subscribe", messageId: 1, subscriptions });
    await using victim = await bench.join("victim");
    assert.equal((await victim.ask(hello())).verdict, Verdict.ACCEPTED);
    assert.equal((await victim.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    // Knock, challenge, two messages and two Receipts.
    await attacker.heard.find(() => recorded(attacker).length >= 6);
    const copies = recorded(attacker).map(({ topic, payload }) => ({ topic, payload }));
    const attack = [...copies, ...forged(), ...copies.toReversed()];
    const before = recorded(attacker).length;
    for (const { topic, payload } of attack) {
      const bytes = Buffer.from(payload);
      await attacker.send({
        cmd: "publish",
        topic,
        payload: bytes,
        qos: 0,
        dup: false,
        retain: false,
      });
    }
    // Its own messages come back to it, too: then the broker has given them to everybody.
    await attacker.heard.find(() => recorded(attacker).length >= before + attack.length);
    for (let count = 0; count < 3; count++) {
      assert.equal((await victim.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    }
    const { arrivals } = bench.coordinator;
    const kinds = arrivals.all.map((arrival) =>
      arrival.kind === "message" ? arrival.message.body.case : arrival.kind
    );
    assert.deepEqual(kinds, ["hello", ...Array(4).fill("heartbeat")]);
    assert.equal(victim.heard.all.length, 5, "five Receipts and nothing else");
    assert.equal((await server.traffic()).connections, 1);
    const text = recorded(attacker).map(({ payload }) => Buffer.from(payload).toString("latin1"));
    const [, claims = "", signature = ""] = token.split(".");
    assert.ok(text.some((each) => each.includes(claims)));
    assert.ok(!text.some((each) => each.includes(signature)), "the token is not among it");
  });
});
