import assert from "node:assert/strict";
import { options, permissions } from "../../../src/protocols/dds/options.ts";

Deno.test("options serve loopback on domain 0's standard port unless told otherwise", () => {
  assert.deepEqual(options.parse({}), { hostname: "127.0.0.1", domain: 0, port: 7410, peers: [] });
});

Deno.test("options take the port from the domain as RTPS 2.5 §9.6.2.3 does, unless it is given", () => {
  assert.equal(options.parse({ domain: 1 }).port, 7660);
  assert.equal(options.parse({ domain: 232 }).port, 65_410);
  assert.equal(options.parse({ domain: 5, port: 7000 }).port, 7000);
});

Deno.test("options refuse what no server could do", () => {
  const cases = [
    { hostname: "0.0.0.0" },
    { hostname: "::1" },
    { hostname: "localhost" },
    { domain: 233 },
    { port: 65_535 },
    { peers: ["a b"] },
    { peers: ['"/><Tracing>'] },
    { library: "" },
    { nonsense: 1 },
  ];
  for (const own of cases) {
    assert.equal(options.safeParse(own).success, false, JSON.stringify(own));
  }
});

Deno.test("permissions are ffi and nothing else", () => {
  const { ffi, ...others } = permissions(options.parse({}));
  assert.equal(ffi, true);
  assert.deepEqual(new Set(Object.values(others)), new Set([false]));
});
