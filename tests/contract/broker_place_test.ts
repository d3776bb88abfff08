import assert from "node:assert/strict";
import {
  type BrokerPorts,
  decoded,
  diallingPermissions,
  isReadable,
  likeness,
  placeIn,
  placeOf,
} from "../../src/contract/broker_place.ts";

const ports: BrokerPorts = {
  plain: { scheme: "mqtt", port: 1883 },
  tls: { scheme: "mqtts", port: 8883 },
};

Deno.test("placeIn() takes brackets off, and the port of the scheme where none is named", () => {
  const at = (url: string) => placeIn(new URL(url), ports);
  assert.deepEqual(at("mqtt://[::1]"), { hostname: "::1", port: 1883, isTls: false });
  assert.deepEqual(at("mqtts://broker"), { hostname: "broker", port: 8883, isTls: true });
  assert.deepEqual(at("mqtts://broker:1"), { hostname: "broker", port: 1, isTls: true });
  assert.equal(at("amqp://broker"), undefined);
  assert.equal(at("mqtt:broker"), undefined);
});

Deno.test("likeness() shows both schemes with their ports", () => {
  assert.equal(likeness(ports), "mqtt://host:1883, or mqtts://host:8883 for TLS");
});

Deno.test("placeOf() brackets an IPv6 address", () => {
  assert.equal(placeOf({ hostname: "::1", port: 1883 }), "[::1]:1883");
  assert.equal(placeOf({ hostname: "broker", port: 1 }), "broker:1");
});

Deno.test("decoded() leaves what is not percent-encoded text as it is", () => {
  assert.equal(decoded("two%20words"), "two words");
  assert.equal(decoded("100%"), "100%");
});

Deno.test("isReadable() is whether the reader throws nothing", () => {
  const read = isReadable((text) => JSON.parse(text));
  assert.deepEqual(["1", "{"].map(read), [true, false]);
});

Deno.test("diallingPermissions() allow one place, and without one nothing", () => {
  const { net, ...rest } = diallingPermissions({ hostname: "::1", port: 1 });
  assert.deepEqual(net, ["[::1]:1"]);
  assert.ok(Object.values(rest).every((allowed) => allowed === false));
  assert.equal(diallingPermissions(undefined).net, false);
});
