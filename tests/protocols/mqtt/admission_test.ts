import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { IConnectPacket } from "mqtt-packet";
import {
  type Admission,
  admit,
  connack,
  refusingConnack,
} from "../../../src/protocols/mqtt/admission.ts";
import { ReasonCode } from "../../../src/protocols/mqtt/wire.ts";

const terms = {
  federation: "default",
  maxMessageBytes: 1000,
  receiveMaximum: 50,
  silenceLimitMs: 30_000,
};

function connect(more: Partial<IConnectPacket> = {}): IConnectPacket {
  return { cmd: "connect", clientId: "client-1", protocolVersion: 5, keepalive: 10, ...more };
}

function admitted(more: Partial<IConnectPacket> = {}): Admission {
  const judged = admit(connect(more), terms);
  assert.ok(!("code" in judged), JSON.stringify(judged));
  return judged;
}

function codeOf(more: Partial<IConnectPacket>): number | undefined {
  const judged = admit(connect(more), terms);
  return "code" in judged ? judged.code : undefined;
}

Deno.test("admit() takes a client with its own topics", () => {
  const admission = admitted();
  assert.equal(admission.level, 5);
  assert.equal(admission.topics.up, "fl/default/up/client-1");
  assert.equal(admission.will, undefined);
  assert.equal(admission.wantsReasons, true);
});

Deno.test("admit() refuses a client identifier that is no client id", () => {
  for (const clientId of ["", "a b", "client/1", "x".repeat(65)]) {
    assert.equal(codeOf({ clientId }), ReasonCode.CLIENT_IDENTIFIER_NOT_VALID);
  }
});

Deno.test("admit() ignores user name and password", () => {
  assert.equal(codeOf({ username: "user", password: Buffer.from("secret") }), undefined);
});

Deno.test("admit() refuses enhanced authentication (§4.12)", () => {
  const properties = { authenticationMethod: "SCRAM-SHA-256" };
  assert.equal(codeOf({ properties }), ReasonCode.BAD_AUTHENTICATION_METHOD);
});

Deno.test("admit() takes a will for the own up topic, not retained, and no other", () => {
  const payload = Buffer.from("will");
  const will = { topic: "fl/default/up/client-1", payload, qos: 1 as const, retain: false };
  assert.deepEqual(admitted({ will }).will, new Uint8Array(payload));
  for (const topic of ["fl/default/up/client-2", "fl/other/up/client-1", "fl/default/state"]) {
    assert.equal(codeOf({ will: { ...will, topic } }), ReasonCode.NOT_AUTHORISED);
  }
  const other = admit(connect({ will: { ...will, topic: "fl/other/up/client-1" } }), terms);
  assert.match("reason" in other ? other.reason : "", /: this is the federation default, with/);
  assert.equal(codeOf({ will: { ...will, retain: true } }), ReasonCode.NOT_AUTHORISED);
  const large = { ...will, payload: Buffer.alloc(1001) };
  assert.equal(codeOf({ will: large }), ReasonCode.PACKET_TOO_LARGE);
});

Deno.test("admit() refuses a client that cannot take the largest packet", () => {
  assert.equal(codeOf({ properties: { maximumPacketSize: 5095 } }), ReasonCode.PACKET_TOO_LARGE);
  assert.equal(codeOf({ properties: { maximumPacketSize: 5096 } }), undefined);
});

Deno.test("admit() finds properties of value 0 and repeated ones a protocol error", () => {
  assert.equal(codeOf({ properties: { receiveMaximum: 0 } }), ReasonCode.PROTOCOL_ERROR);
  assert.equal(codeOf({ properties: { maximumPacketSize: 0 } }), ReasonCode.PROTOCOL_ERROR);
  const twice = [1, 2] as unknown as number; // what the library makes of it
  assert.equal(codeOf({ properties: { receiveMaximum: twice } }), ReasonCode.PROTOCOL_ERROR);
});

Deno.test("admit() finds a password without a user name malformed in MQTT 3.1.1 only", () => {
  const password = Buffer.from("secret");
  assert.equal(codeOf({ password, protocolVersion: 4 }), ReasonCode.MALFORMED_PACKET);
  assert.equal(codeOf({ password }), undefined);
});

Deno.test("admit() knows how much the client takes unacknowledged", () => {
  assert.equal(admitted({ properties: { receiveMaximum: 20 } }).receiveMaximum, 20);
  assert.equal(admitted().receiveMaximum, 65_535);
  assert.equal(admitted({ protocolVersion: 4 }).receiveMaximum, 64);
});

Deno.test("admit() grants 1.5 times the Keep Alive (§3.1.2.10)", () => {
  const { silenceLimitMs, serverKeepAlive } = admitted({ keepalive: 10 });
  assert.deepEqual({ silenceLimitMs, serverKeepAlive }, {
    silenceLimitMs: 15_000,
    serverKeepAlive: undefined,
  });
});

Deno.test("admit() imposes a Keep Alive on MQTT 5 where none or a longer one was asked", () => {
  for (const keepalive of [0, 60]) {
    const { silenceLimitMs, serverKeepAlive } = admitted({ keepalive });
    assert.deepEqual({ silenceLimitMs, serverKeepAlive }, {
      silenceLimitMs: 30_000,
      serverKeepAlive: 20,
    });
  }
});

Deno.test("admit() leaves MQTT 3.1.1 its Keep Alive, and limits silence where there is none", () => {
  assert.equal(admitted({ protocolVersion: 4, keepalive: 60 }).silenceLimitMs, 90_000);
  assert.equal(admitted({ protocolVersion: 4, keepalive: 0 }).silenceLimitMs, 30_000);
});

Deno.test("admit() hears that a client wants no reason strings", () => {
  const properties = { requestProblemInformation: false };
  assert.equal(admitted({ properties }).wantsReasons, false);
});

Deno.test("connack() announces to MQTT 5 what is not there", () => {
  assert.deepEqual(connack(admitted({ keepalive: 0 }), terms), {
    cmd: "connack",
    sessionPresent: false,
    reasonCode: 0,
    properties: {
      sessionExpiryInterval: 0,
      receiveMaximum: 50,
      maximumPacketSize: 5096,
      topicAliasMaximum: 0,
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
      serverKeepAlive: 20,
    },
  });
});

Deno.test("refusingConnack() has a reason in MQTT 5, a return code or nothing in 3.1.1", () => {
  const refusal = { code: ReasonCode.NOT_AUTHORISED, reason: "why" };
  assert.deepEqual(refusingConnack(refusal, 5), {
    cmd: "connack",
    sessionPresent: false,
    reasonCode: 0x87,
    properties: { reasonString: "why" },
  });
  assert.deepEqual(refusingConnack(refusal, 4), {
    cmd: "connack",
    sessionPresent: false,
    returnCode: 5,
  });
  assert.equal(refusingConnack({ ...refusal, code: ReasonCode.MALFORMED_PACKET }, 4), undefined);
});
