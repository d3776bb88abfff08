import assert from "node:assert/strict";
import fc from "fast-check";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import { text } from "../../../src/protocols/amqp/fields.ts";
import {
  decodeContentHeader,
  decodeProperties,
  encodeContentHeader,
  encodeProperties,
  type Properties,
} from "../../../src/protocols/amqp/properties.ts";
import { shortstr, table } from "./arbitraries.ts";

const properties: fc.Arbitrary<Properties> = fc.record({
  contentType: shortstr,
  contentEncoding: shortstr,
  headers: table,
  deliveryMode: fc.nat(255),
  priority: fc.nat(255),
  correlationId: shortstr,
  replyTo: shortstr,
  expiration: shortstr,
  messageId: shortstr,
  timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  type: shortstr,
  userId: shortstr,
  appId: shortstr,
  clusterId: shortstr,
}, { requiredKeys: [], noNullPrototype: true });

function reply(payload: Uint8Array): string {
  const header = decodeContentHeader(payload);
  return header instanceof AmqpException ? header.reply : "";
}

Deno.test("decodeProperties gives back what encodeProperties made", () => {
  fc.assert(fc.property(properties, (value) => {
    assert.deepEqual(decodeProperties(encodeProperties(value)), value);
  }));
});

Deno.test("encodeProperties sets the highest flag for the first property (§4.2.6.1)", () => {
  assert.equal(encodeProperties({ contentType: "a" }).toHex(), "8000" + "0161");
  assert.equal(encodeProperties({ clusterId: "a" }).toHex(), "0004" + "0161");
  assert.equal(encodeProperties({}).toHex(), "0000");
});

Deno.test("decodeContentHeader reads size and headers, and keeps the properties as they came", () => {
  const encoded = encodeProperties({ headers: new Map([["a", text("b")]]), priority: 3 });
  const header = decodeContentHeader(encodeContentHeader(2 ** 40, encoded));
  assert.ok(!(header instanceof AmqpException));
  assert.equal(header.bodyBytes, 2n ** 40n);
  assert.deepEqual(header.encoded, encoded);
  assert.deepEqual(header.headers, new Map([["a", text("b")]]));
});

Deno.test("decodeContentHeader refuses another class with 501, bad formats with 505", () => {
  assert.equal(reply(Uint8Array.fromHex("003200000000000000000000" + "0000")), "FRAME_ERROR");
  assert.equal(reply(Uint8Array.fromHex("003c00010000000000000000" + "0000")), "UNEXPECTED_FRAME");
  assert.equal(reply(Uint8Array.fromHex("003c0000000000")), "UNEXPECTED_FRAME");
  assert.equal(reply(Uint8Array.fromHex("003c00000000000000000000" + "0001")), "UNEXPECTED_FRAME");
  assert.equal(
    reply(Uint8Array.fromHex("003c00000000000000000000" + "8000" + "05")),
    "UNEXPECTED_FRAME",
  );
  assert.equal(
    reply(Uint8Array.fromHex("003c00000000000000000000" + "0000" + "00")),
    "UNEXPECTED_FRAME",
  );
});

Deno.test("decodeContentHeader makes a header or an exception of any octets", () => {
  const octets = fc.uint8Array({ maxLength: 120 }).map((rest) => Uint8Array.of(0, 60, ...rest));
  fc.assert(fc.property(octets, (payload) => {
    const header = decodeContentHeader(payload);
    assert.ok(header instanceof AmqpException ? header.hard : header.encoded.length >= 2);
  }));
});
