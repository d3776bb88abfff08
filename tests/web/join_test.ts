import assert from "node:assert/strict";
import { addressesOf, joinPolicy } from "../../src/web/join.ts";
import type { Status } from "../../src/web/status.ts";
import { sampleStatus } from "./sample_status.ts";

function statusWith(url: string): Status {
  const [wire] = sampleStatus.wires;
  assert.ok(wire);
  return { ...sampleStatus, wires: [{ ...wire, wire: "quic", url }] };
}

Deno.test("addressesOf() gives WebTransport's address and then WebSocket's, of the same number", () => {
  assert.deepEqual(
    addressesOf(statusWith("quic://10.0.0.5:4433/default?hash=ab"), new URL("http://other/join/")),
    [
      "quic://10.0.0.5:4433/default?hash=ab",
      "ws://10.0.0.5:4433/default",
    ],
  );
});

Deno.test("addressesOf() gives the address of a WebSocket on TLS to a page that came by HTTPS", () => {
  const [, webSocket] = addressesOf(
    statusWith("quic://10.0.0.5:4433/default"),
    new URL("https://a/"),
  );
  assert.equal(webSocket, "wss://10.0.0.5:4433/default");
});

for (const everywhere of ["0.0.0.0", "[::]"]) {
  Deno.test(`addressesOf() gives the page's own host where the server listens on ${everywhere}`, () => {
    const status = statusWith(`quic://${everywhere}:4433/default?hash=ab`);
    assert.deepEqual(addressesOf(status, new URL("http://[fd00::7]:8080/join/")), [
      "quic://[fd00::7]:4433/default?hash=ab",
      "ws://[fd00::7]:4433/default",
    ]);
  });
}

Deno.test("addressesOf() is empty where QUIC is not served, or not now", () => {
  assert.deepEqual(addressesOf(sampleStatus, new URL("http://host/")), []);
  assert.deepEqual(addressesOf(statusWith(""), new URL("http://host/")), []);
});

Deno.test("joinPolicy() lets the page reach its server, and nothing elsewhere", () => {
  const policy = joinPolicy(["quic://10.0.0.5:4433/default?hash=ab", "ws://10.0.0.5:4433/default"]);
  assert.match(policy, /^default-src 'none'; /);
  assert.match(
    policy,
    /connect-src 'self' blob: https:\/\/10\.0\.0\.5:4433 ws:\/\/10\.0\.0\.5:4433;/,
  );
  assert.doesNotMatch(policy, /'unsafe-/);
});

Deno.test("joinPolicy() names the scheme alone of a host that policies cannot name", () => {
  assert.match(joinPolicy(["ws://[::1]:4433/default"]), /connect-src 'self' blob: ws:;/);
});
