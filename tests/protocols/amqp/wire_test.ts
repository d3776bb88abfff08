import assert from "node:assert/strict";
import { decodeServerMessage, serverMessage } from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { decodeProperties } from "../../../src/protocols/amqp/properties.ts";
import {
  addressOf,
  clientOf,
  CONFIRMS,
  downMessage,
  everyKey,
  LONGEST_FEDERATION_BYTES,
  returnKey,
  routingKey,
  serverQueue,
} from "../../../src/protocols/amqp/wire.ts";

Deno.test("CONFIRMS says nack only where the same message may be published again", () => {
  const nacked = Object.keys(CONFIRMS).map(Number).filter((verdict) =>
    CONFIRMS[verdict as Verdict] === "nack"
  );
  assert.deepEqual(nacked, [Verdict.BUSY, Verdict.FAILED]);
});

Deno.test("routingKey fits into a shortstr with the longest names there are", () => {
  const key = routingKey("f".repeat(LONGEST_FEDERATION_BYTES), "c".repeat(64));
  assert.equal(key.length, 255);
});

Deno.test("downMessage is a transient protobuf message of fl.down", () => {
  const message = serverMessage({ runId: "r", body: { case: "finish", value: { reason: "x" } } });
  const down = downMessage("default.client-1", message);
  assert.equal(down.exchange, "fl.down");
  assert.deepEqual(decodeServerMessage(down.body), message);
  assert.deepEqual(decodeProperties(down.properties), {
    contentType: "application/x-protobuf",
    deliveryMode: 1,
  });
});

Deno.test("clientOf() finds the client in a key of the federation, dots or not", () => {
  assert.equal(clientOf("a.b", routingKey("a.b", "c.d")), "c.d");
  for (const key of ["a.c", "a.b", "a.b.", "a.b.c d", "a.bc"]) {
    assert.equal(clientOf("a.b", key), undefined, key);
  }
});

Deno.test("addressOf() answers to the reply-to of the client itself, and to nobody else's", () => {
  const key = routingKey("default", "a");
  const own = returnKey(key, "0123");
  assert.equal(addressOf(key, own), own);
  for (const other of [undefined, "", "default.b", returnKey("default.b", "0123"), 7]) {
    assert.equal(addressOf(key, other), key);
  }
});

Deno.test("a server's queue and binding carry the federation's name", () => {
  assert.equal(serverQueue("digits"), "fl.up.digits");
  assert.equal(everyKey("digits"), "digits.#");
});
