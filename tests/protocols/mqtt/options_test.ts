import assert from "node:assert/strict";
import { options, permissions } from "../../../src/protocols/mqtt/options.ts";

Deno.test("options have a default for everything and a description on each", () => {
  const { hostname, port } = options.parse({});
  assert.deepEqual({ hostname, port }, { hostname: "127.0.0.1", port: 1883 });
  for (const [name, field] of Object.entries(options.shape)) assert.ok(field.description, name);
});

Deno.test("options refuse an unknown key, a host name and a port beyond 65535", () => {
  for (const given of [{ prot: 1 }, { hostname: "localhost" }, { port: 65_536 }]) {
    assert.equal(options.safeParse(given).success, false, JSON.stringify(given));
  }
});

Deno.test("permissions() allow the own port and nothing else", () => {
  const { net, ...others } = permissions(options.parse({}));
  assert.deepEqual(net, ["127.0.0.1:1883"]);
  assert.deepEqual(new Set(Object.values(others)), new Set([false]));
  assert.deepEqual(permissions(options.parse({ hostname: "::" })).net, ["[::]:1883"]);
});

Deno.test("permissions() allow the WebSocket's port where one is set", () => {
  const net = (given: object) => permissions(options.parse(given)).net;
  assert.deepEqual(net({ websocketPort: 8083 }), ["127.0.0.1:1883", "127.0.0.1:8083"]);
  assert.deepEqual(net({ port: 0, websocketPort: 0, hostname: "::1" }), ["[::1]:0"]);
});

Deno.test("options serve no WebSocket, and welcome no page of another site, unless told to", () => {
  assert.equal(options.parse({}).websocketPort, undefined);
  assert.deepEqual(options.parse({}).origins, []);
  assert.equal(options.safeParse({ origins: ["example.org"] }).success, false);
});
