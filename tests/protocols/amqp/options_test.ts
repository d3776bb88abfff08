import assert from "node:assert/strict";
import { options, permissions } from "../../../src/protocols/amqp/options.ts";

Deno.test("options are complete by themselves and refuse what they do not know", () => {
  const all = options.parse({});
  assert.equal(all.hostname, "127.0.0.1");
  assert.equal(all.port, 5672);
  assert.ok(Object.values(options.shape).every((field) => (field.description ?? "") !== ""));
  assert.ok(!options.safeParse({ ports: 1 }).success);
  assert.ok(!options.safeParse({ hostname: "localhost" }).success);
  assert.ok(!options.safeParse({ frameMaxBytes: 4095 }).success);
});

Deno.test("permissions are those of one listening socket", () => {
  const { net, ...others } = permissions(options.parse({ hostname: "::1", port: 7 }));
  assert.deepEqual(net, ["[::1]:7"]);
  assert.ok(Object.values(others).every((permission) => permission === false));
});
