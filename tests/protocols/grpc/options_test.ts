import assert from "node:assert/strict";
import { options, permissions } from "../../../src/protocols/grpc/options.ts";

Deno.test("options have a default for everything, and refuse what they do not know", () => {
  assert.deepEqual(options.parse({}), {
    hostname: "127.0.0.1",
    port: 50051,
    streamWindowBytes: 4_194_304,
  });
  assert.ok(!options.safeParse({ hostname: "example.test" }).success);
  assert.ok(!options.safeParse({ streamWindowBytes: 65_534 }).success);
  assert.ok(!options.safeParse({ ports: 1 }).success);
});

Deno.test("permissions() allow the listening socket and nothing else", () => {
  const { net, ...others } = permissions(options.parse({ hostname: "::1", port: 1234 }));
  assert.deepEqual(net, ["[::1]:1234"]);
  assert.ok(Object.values(others).every((permission) => permission === false));
});
