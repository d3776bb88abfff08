import assert from "node:assert/strict";
import fc from "fast-check";
import { addressOf, federationOf, urlOf } from "../../../src/protocols/quic/address.ts";

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new Uint8Array(bytes));

Deno.test("addressOf() reads what urlOf() writes", () => {
  const address = fc.record({
    hostname: fc.constantFrom("127.0.0.1", "::1", "trainer.example"),
    port: fc.integer({ min: 1, max: 65535 }),
    // URLs take . and .. for steps in the path: no federation is called so.
    federation: fc.string({ minLength: 1, unit: "grapheme" })
      .filter((name) => name !== "." && name !== ".."),
    hash: fc.option(hash, { nil: undefined }),
  });
  fc.assert(fc.property(address, (address) => {
    assert.deepEqual(addressOf(new URL(urlOf(address))), { ...address });
  }));
});

for (
  const [url, advice] of [
    ["mqtt://127.0.0.1:1883/default", /begins with quic:/],
    ["quic://127.0.0.1/default", /quic:\/\/host:port\/federation/],
    ["quic:///default", /quic:\/\/host:port\/federation/],
    ["quic://127.0.0.1:4433", /name the federation/],
    ["quic://127.0.0.1:4433/", /name the federation/],
    ["quic://127.0.0.1:4433/%ff", /name the federation/],
    ["quic://127.0.0.1:4433/default?hash=abcd", /copied whole/],
    ["quic://127.0.0.1:4433/default?hash=%C3%A4", /copied whole/],
  ] as const
) {
  Deno.test(`addressOf() says what is wrong with ${url}`, () => {
    assert.throws(
      () => addressOf(new URL(url)),
      (error: Error) => error instanceof TypeError && advice.test(error.message),
    );
  });
}

Deno.test("federationOf() reads a path up to its query or fragment", () => {
  assert.equal(federationOf("/a%20b?c=d#e"), "a b");
  assert.equal(federationOf("default#?"), "default");
  assert.equal(federationOf("/"), "");
  assert.equal(federationOf("/%ff"), undefined);
});
