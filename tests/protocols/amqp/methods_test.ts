import assert from "node:assert/strict";
import fc from "fast-check";
import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import {
  decodeMethod,
  encodeMethod,
  type MethodFields,
  type MethodName,
  METHODS,
} from "../../../src/protocols/amqp/methods.ts";
import { fieldsOf } from "./arbitraries.ts";

const names = Object.keys(METHODS) as MethodName[];

function reply(hex: string): string {
  const decoded = decodeMethod(Uint8Array.fromHex(hex));
  return decoded instanceof AmqpException ? decoded.reply : decoded.name;
}

for (const name of names) {
  Deno.test(`decodeMethod gives back what encodeMethod made of ${name}`, () => {
    fc.assert(
      fc.property(fieldsOf(name), (fields) => {
        const payload = encodeMethod(name, fields as MethodFields<typeof name>);
        assert.deepEqual(decodeMethod(payload), { name, fields });
      }),
      { numRuns: 30 },
    );
  });
}

Deno.test("decodeMethod answers a method cut short with 501, wherever it is cut", () => {
  fc.assert(
    fc.property(fc.constantFrom(...names).chain(withFields), ([name, fields]) => {
      const payload = encodeMethod(name, fields as MethodFields<typeof name>);
      for (let length = 0; length < payload.length; length++) {
        const decoded = decodeMethod(payload.subarray(0, length));
        assert.ok(decoded instanceof AmqpException, `${name} cut to ${length}`);
        assert.equal(decoded.reply, "FRAME_ERROR");
      }
    }),
    { numRuns: 50 },
  );
});

function withFields(name: MethodName) {
  return fieldsOf(name).map((fields) => [name, fields] as const);
}

Deno.test("decodeMethod makes a method or an exception of any octets", () => {
  const prefixes = names.map((name) => {
    const { classId, methodId } = METHODS[name];
    return Uint8Array.of(0, classId, 0, methodId);
  });
  const octets = fc.tuple(fc.constantFrom(...prefixes), fc.uint8Array({ maxLength: 200 }))
    .map(([prefix, rest]) => Uint8Array.of(...prefix, ...rest));
  fc.assert(
    fc.property(fc.oneof(octets, fc.uint8Array({ maxLength: 50 })), (payload) => {
      const decoded = decodeMethod(payload);
      assert.ok(decoded instanceof AmqpException ? decoded.hard : names.includes(decoded.name));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("decodeMethod tells malformed, illegal and unknown apart", () => {
  assert.equal(reply("000a001f0007ffff"), "FRAME_ERROR"); // tune-ok, cut
  assert.equal(reply("0014000a0000"), "FRAME_ERROR"); // channel.open, and an octet after it
  assert.equal(reply("0014000a01ff"), "SYNTAX_ERROR"); // a shortstr that is not UTF-8
  assert.equal(reply("001e000a"), "NOT_IMPLEMENTED"); // class access is not part of 0-9-1
  assert.equal(reply("003c0001"), "NOT_IMPLEMENTED");
  assert.equal(reply("003c006f"), "basic.recover-ok");
});

Deno.test("encodeMethod packs consecutive bits into one octet, the first in its lowest bit", () => {
  // §4.2.5.2; queue.declare: passive, durable, exclusive, auto-delete, no-wait
  const payload = encodeMethod("queue.declare", {
    reserved1: 0,
    queue: "q",
    passive: false,
    durable: true,
    exclusive: true,
    autoDelete: false,
    noWait: true,
    arguments: new Map(),
  });
  assert.equal(payload.toHex(), "0032000a0000" + "0171" + "16" + "00000000");
});

Deno.test("encodeMethod refuses a shortstr beyond 255 octets", () => {
  const fields = { consumerTag: "ü".repeat(128) };
  assert.throws(() => encodeMethod("basic.consume-ok", fields), RangeError);
});
