import assert from "node:assert/strict";
import type { FieldValue, Table } from "../../../src/protocols/amqp/fields.ts";
import { Handshake, startFields, type Step } from "../../../src/protocols/amqp/handshake.ts";

const offer = {
  channelMax: 64,
  frameMaxBytes: 131072,
  heartbeatSeconds: 10,
  federation: "default",
};

function capable(...names: string[]): Table {
  const yes: FieldValue = { type: "t", value: true };
  return new Map([["capabilities", {
    type: "F",
    value: new Map(names.map((name) => [name, yes])),
  }]]);
}

function startOk(
  handshake: Handshake,
  { response = "\0client-1\0secret", mechanism = "PLAIN", clientProperties = capable() } = {},
): Step {
  return handshake.take({
    name: "connection.start-ok",
    fields: {
      clientProperties,
      mechanism,
      response: new TextEncoder().encode(response),
      locale: "en_US",
    },
  });
}

function tuneOk(handshake: Handshake, fields = {}): Step {
  const tuned = { channelMax: 64, frameMax: 131072, heartbeat: 10, ...fields };
  return handshake.take({ name: "connection.tune-ok", fields: tuned });
}

function open(handshake: Handshake, virtualHost = "/"): Step {
  const fields = { virtualHost, reserved1: "", reserved2: false };
  return handshake.take({ name: "connection.open", fields });
}

function tuned(fields = {}): Step {
  const handshake = new Handshake(offer);
  startOk(handshake);
  return tuneOk(handshake, fields);
}

function refusal(step: Step): string {
  assert.equal(step.kind, "refuse");
  return step.kind === "refuse" ? step.exception?.reply ?? "silence" : "";
}

Deno.test("Handshake leads over tune to open, with what was agreed", () => {
  const handshake = new Handshake(offer);
  const clientProperties = capable("connection.blocked");
  assert.deepEqual(startOk(handshake, { clientProperties }), {
    kind: "tune",
    fields: { channelMax: 64, frameMax: 131072, heartbeat: 10 },
  });
  assert.deepEqual(tuneOk(handshake, { channelMax: 5, frameMax: 4096, heartbeat: 60 }), {
    kind: "tuned",
    frameMaxBytes: 4096,
  });
  assert.deepEqual(open(handshake), {
    kind: "open",
    agreement: {
      clientId: "client-1",
      channelMax: 5,
      frameMaxBytes: 4096,
      heartbeatSeconds: 60,
      notifiesCancel: false,
      notifiesBlocked: true,
    },
  });
});

Deno.test("Handshake takes 0 for no limit of the client's own", () => {
  assert.deepEqual(tuned({ channelMax: 0, frameMax: 0, heartbeat: 0 }), {
    kind: "tuned",
    frameMaxBytes: 131072,
  });
});

Deno.test("Handshake refuses in silence what exceeds its offer (1.4 tune-ok)", () => {
  assert.equal(refusal(tuned({ frameMax: 131073 })), "silence");
  assert.equal(refusal(tuned({ frameMax: 4095 })), "silence");
  assert.equal(refusal(tuned({ channelMax: 65 })), "silence");
});

Deno.test("Handshake refuses in silence another mechanism (1.4 start-ok, validity)", () => {
  assert.equal(refusal(startOk(new Handshake(offer), { mechanism: "EXTERNAL" })), "silence");
  assert.equal(refusal(startOk(new Handshake(offer), { response: "client-1" })), "silence");
});

Deno.test("Handshake refuses a user name that is no client id, with 403 where it is understood", () => {
  const response = "\0no client\0";
  assert.equal(refusal(startOk(new Handshake(offer), { response })), "silence");
  const clientProperties = capable("authentication_failure_close");
  assert.equal(
    refusal(startOk(new Handshake(offer), { response, clientProperties })),
    "ACCESS_REFUSED",
  );
});

Deno.test("Handshake knows one virtual host, as / and by the federation's name; others get 402", () => {
  const at = (virtualHost: string) => {
    const handshake = new Handshake(offer);
    startOk(handshake);
    tuneOk(handshake);
    return open(handshake, virtualHost);
  };
  assert.equal(at("/").kind, "open");
  assert.equal(at("default").kind, "open");
  assert.equal(refusal(at("other")), "INVALID_PATH");
  assert.equal(refusal(at("")), "INVALID_PATH");
});

Deno.test("Handshake refuses in silence what comes out of turn (§2.2.4)", () => {
  assert.equal(refusal(tuneOk(new Handshake(offer))), "silence");
  assert.equal(refusal(open(new Handshake(offer))), "silence");
  const handshake = new Handshake(offer);
  startOk(handshake);
  assert.equal(refusal(startOk(handshake)), "silence");
  assert.equal(refusal(open(handshake)), "silence");
});

Deno.test("startFields name what is really there", () => {
  const { serverProperties, mechanisms, versionMajor, versionMinor } = startFields();
  assert.deepEqual([versionMajor, versionMinor], [0, 9]);
  assert.equal(new TextDecoder().decode(mechanisms), "PLAIN");
  const capabilities = serverProperties.get("capabilities");
  assert.ok(capabilities?.type === "F");
  assert.ok(!capabilities.value.has("exchange_exchange_bindings"));
});
