import assert from "node:assert/strict";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import { Incoming } from "../../../src/protocols/amqp/incoming.ts";
import { Pool } from "../../../src/protocols/amqp/pool.ts";
import { encodeContentHeader, encodeProperties } from "../../../src/protocols/amqp/properties.ts";

const method = {
  reserved1: 0,
  exchange: "",
  routingKey: "q",
  mandatory: false,
  immediate: false,
};

function header(bodyBytes: number): Uint8Array {
  return encodeContentHeader(bodyBytes, encodeProperties({}));
}

function begun(room = new Pool(200, () => {})): Incoming {
  return new Incoming(method, 100, room);
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof AmqpException ? error.reply : String(error);
  }
  return "";
}

Deno.test("Incoming puts a body together from its frames, in memory of its own", () => {
  const incoming = begun();
  assert.equal(incoming.header(header(5)), undefined);
  const frame = Uint8Array.of(1, 2, 3);
  assert.equal(incoming.body(frame), undefined);
  frame.fill(9); // the reading buffer is used again
  assert.deepEqual(incoming.body(Uint8Array.of(4, 5))?.body, Uint8Array.of(1, 2, 3, 4, 5));
});

Deno.test("Incoming is whole with the header of an empty body, or with one frame", () => {
  assert.deepEqual(begun().header(header(0))?.body, new Uint8Array());
  const incoming = begun();
  incoming.header(header(2));
  const frame = Uint8Array.of(1, 2);
  const published = incoming.body(frame);
  frame.fill(9);
  assert.deepEqual(published?.body, Uint8Array.of(1, 2));
});

Deno.test("Incoming refuses a message too large by its header alone, with 311", () => {
  assert.equal(refusal(() => begun().header(header(100))), "");
  assert.equal(refusal(() => begun().header(header(101))), "CONTENT_TOO_LARGE");
  const claim = Uint8Array.fromHex("003c0000ffffffffffffffff0000");
  assert.equal(refusal(() => begun().header(claim)), "CONTENT_TOO_LARGE");
});

Deno.test("Incoming refuses with 506 what would be too much under way on one connection", () => {
  const room = new Pool(200, () => {});
  const first = begun(room);
  first.header(header(100));
  const second = begun(room);
  second.header(header(100));
  assert.equal(refusal(() => begun(room).header(header(1))), "RESOURCE_ERROR");
  first.body(new Uint8Array(100)); // whole
  second.end();
  second.end(); // once more changes nothing
  begun(room).header(header(100));
  begun(room).header(header(100));
  assert.equal(refusal(() => begun(room).header(header(1))), "RESOURCE_ERROR");
});

Deno.test("Incoming refuses content out of order with 505 (§4.2.6)", () => {
  assert.equal(
    refusal(() => begun().body(Uint8Array.of(1))),
    "UNEXPECTED_FRAME",
  );
  const twice = begun();
  twice.header(header(5));
  assert.equal(refusal(() => twice.header(header(5))), "UNEXPECTED_FRAME");
  assert.equal(refusal(() => twice.body(new Uint8Array(6))), "UNEXPECTED_FRAME");
});
