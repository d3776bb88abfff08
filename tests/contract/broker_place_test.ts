import assert from "node:assert/strict";
import {
  decoded,
  diallingPermissions,
  isReadable,
  placeIn,
  placeOf,
} from "../../src/contract/broker_place.ts";

Deno.test("placeIn() takes brackets off, and the port of the wire where none is named", () => {
  assert.deepEqual(placeIn(new URL("mqtt://[::1]"), 1883), { hostname: "::1", port: 1883 });
  assert.deepEqual(placeIn(new URL("amqp://broker:1"), 5672), { hostname: "broker", port: 1 });
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
