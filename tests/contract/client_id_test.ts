import assert from "node:assert/strict";
import { isClientId } from "../../src/contract/client_id.ts";

Deno.test("isClientId() is ClientMessage.client_id's rule", () => {
  for (const id of ["a", "client-1", "A.b_c-9", "x".repeat(64)]) assert.ok(isClientId(id), id);
  const others = ["", "x".repeat(65), "a b", "a/b", "a*", "+", "#", "é", "a\n", "a\0"];
  for (const text of others) assert.ok(!isClientId(text), text);
});
