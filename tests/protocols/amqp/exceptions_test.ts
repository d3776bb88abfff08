import assert from "node:assert/strict";
import { AmqpException, shortText } from "../../../src/protocols/amqp/exceptions.ts";

Deno.test("AmqpException closes the channel for soft errors, the connection for hard ones", () => {
  assert.equal(new AmqpException("NOT_FOUND", "x").hard, false);
  assert.equal(new AmqpException("NOT_FOUND", "x").code, 404);
  assert.equal(new AmqpException("NOT_IMPLEMENTED", "x").hard, true);
  assert.equal(new AmqpException("NOT_IMPLEMENTED", "x").replyText, "NOT_IMPLEMENTED - x");
});

Deno.test("shortText cuts at 255 octets, between characters", () => {
  assert.equal(shortText("short"), "short");
  assert.equal(shortText("a".repeat(300)), "a".repeat(255));
  const cut = shortText("a" + "😀".repeat(100));
  assert.ok(cut.isWellFormed());
  assert.equal(new TextEncoder().encode(cut).length, 1 + 63 * 4);
});
