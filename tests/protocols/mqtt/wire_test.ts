import assert from "node:assert/strict";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import {
  ACKNOWLEDGEMENTS,
  clientOf,
  ReasonCode,
  returnCode,
  serverTopicsOf,
  stateMessage,
  subscription,
  topicsOf,
} from "../../../src/protocols/mqtt/wire.ts";

const topics = topicsOf("default", "client-1");

Deno.test("topicsOf() keeps any federation name on one topic level", () => {
  assert.equal(topicsOf("a/b +#", "client-1").up, "fl/a%2Fb%20%2B%23/up/client-1");
  assert.deepEqual(topics, {
    up: "fl/default/up/client-1",
    down: "fl/default/down/client-1",
    state: "fl/default/state",
  });
});

Deno.test("serverTopicsOf() hears every client of its federation, and clientOf() knows them", () => {
  const { everyUp, state, presence } = serverTopicsOf("a/b");
  assert.deepEqual([everyUp, state, presence], [
    "fl/a%2Fb/up/+",
    "fl/a%2Fb/state",
    "fl/a%2Fb/server",
  ]);
  assert.equal(clientOf("a/b", topicsOf("a/b", "c.d").up), "c.d");
  const { up, down } = topicsOf("default", "c");
  assert.equal(clientOf("default", up), "c");
  for (const topic of [down, `${up}/x`, "fl/default/up/", "fl/default/up/c d", "fl/other/up/c"]) {
    assert.equal(clientOf("default", topic), undefined, topic);
  }
});

Deno.test("stateMessage() is the JSON of wire.md", () => {
  const state = { federation: "default", contractVersion: 1, largestMessageBytes: 524_288 };
  assert.equal(
    new TextDecoder().decode(stateMessage(state)),
    '{"federation":"default","contract_version":1,"largest_message_bytes":524288}',
  );
});

Deno.test("ACKNOWLEDGEMENTS uses only codes that PUBACK and PUBREC have (§3.4.2.1)", () => {
  const allowed = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
  for (const code of Object.values(ACKNOWLEDGEMENTS)) assert.ok(allowed.includes(code));
});

Deno.test("ACKNOWLEDGEMENTS gives an error for exactly what was not taken", () => {
  const taken = Object.entries(ACKNOWLEDGEMENTS).filter(([, code]) => code < 0x80);
  assert.deepEqual(taken.map(([verdict]) => Verdict[Number(verdict)]), [
    "UNSPECIFIED",
    "ACCEPTED",
    "HELD",
    "GAP",
    "DUPLICATE",
    "STALE",
    "EARLY",
    "FINISHED",
  ]);
});

Deno.test("returnCode() gives MQTT 3.1.1 the codes it has (§3.2.2.3)", () => {
  assert.equal(returnCode(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION), 1);
  assert.equal(returnCode(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID), 2);
  assert.equal(returnCode(ReasonCode.QUOTA_EXCEEDED), 3);
  assert.equal(returnCode(ReasonCode.NOT_AUTHORISED), 5);
  assert.equal(returnCode(ReasonCode.MALFORMED_PACKET), undefined);
});

Deno.test("subscription() grants the own down topic and the state, at QoS 1 at most", () => {
  assert.deepEqual(subscription(topics, { topic: topics.down, qos: 0 }), { granted: 0 });
  assert.deepEqual(subscription(topics, { topic: topics.down, qos: 1 }), { granted: 1 });
  assert.deepEqual(subscription(topics, { topic: topics.state, qos: 2 }), { granted: 1 });
});

Deno.test("subscription() refuses everything else, each with its own code", () => {
  const codeOf = (topic: string) => {
    const judged = subscription(topics, { topic, qos: 1 });
    return "code" in judged ? judged.code : undefined;
  };
  const refused: Record<number, string[]> = {
    [ReasonCode.NOT_AUTHORISED]: [
      "fl/default/down/client-2",
      "fl/default/up/client-1",
      "fl/other/down/client-1",
      "fl/other/state",
      "$SYS/broker/uptime",
      "fl/default/down/client-1/",
    ],
    [ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED]: [
      "#",
      "+",
      "fl/default/down/+",
      "fl/+/down/client-1",
      "fl/default/down/client-1/#",
      "$SYS/#",
    ],
    [ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED]: ["$share/group/fl/default/down/client-1"],
    [ReasonCode.TOPIC_FILTER_INVALID]: ["", "fl/a#", "fl/#/down", "a+", "a\0b"],
  };
  for (const [code, filters] of Object.entries(refused)) {
    for (const filter of filters) assert.equal(codeOf(filter), Number(code), filter);
  }
});
