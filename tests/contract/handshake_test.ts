import assert from "node:assert/strict";
import { tlsRefusal } from "../../src/contract/handshake.ts";

Deno.test("tlsRefusal finds that the Deno of these tests can serve TLS", () => {
  assert.equal(tlsRefusal(), undefined);
});
