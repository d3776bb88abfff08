import assert from "node:assert/strict";
import fc from "fast-check";
import {
  arrivalOf,
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
  encodeServerMessage,
  serverMessage,
} from "../../src/contract/codec.ts";
import type { Arrival } from "../../src/contract/protocol_server.ts";

const route = { wire: "test", id: 1 };

function messageIn(arrival: Arrival) {
  assert.equal(arrival.kind, "message");
  return arrival.message;
}

/** Every typed array in a value, however deep. */
function* arraysIn(value: unknown): Generator<Uint8Array> {
  if (value instanceof Uint8Array) yield value;
  else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) yield* arraysIn(inner);
  }
}

const bytes = (maxLength = 64) => fc.uint8Array({ maxLength });
const metrics = fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.double(), {
  maxKeys: 4,
  noNullPrototype: true,
}).filter((all) => !Object.hasOwn(all, "__proto__"));
const uint32 = fc.nat({ max: 0xffff_ffff });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const bodies = fc.oneof(
  fc.record({ nonce: bytes(16), session: bytes(16), samples: uint32, token: fc.string() })
    .map((value) => ({ case: "hello" as const, value })),
  fc.record({ modelRound: uint32, offset: uint64, sha256: bytes(32) })
    .map((held) => ({ case: "hello" as const, value: { held } })),
  fc.record({
    taskId: uint32,
    uploadId: bytes(16),
    totalBytes: uint64,
    offset: uint64,
    bytes: bytes(),
    metrics,
  }).map((value) => ({ case: "updatePart" as const, value })),
  fc.record({ taskId: uint32, samples: uint32, metrics })
    .map((value) => ({ case: "evaluation" as const, value })),
  fc.record({ modelRound: uint32, offset: uint64, sha256: bytes(32) })
    .map((value) => ({ case: "modelHeld" as const, value })),
  fc.constant({ case: "heartbeat" as const, value: {} }),
  fc.record({ modelSha256: bytes(32), nonce: bytes(16) })
    .map((value) => ({ case: "leave" as const, value })),
  fc.record({ body: bytes(), tag: bytes(32) })
    .map((value) => ({ case: "sealed" as const, value })),
);

const messages = fc.record({
  runId: fc.string({ unit: "grapheme", maxLength: 40 }),
  clientId: fc.string({ unit: "grapheme", maxLength: 70 }),
  session: bytes(16),
  sequence: uint32,
  body: bodies,
}).map(clientMessage);

Deno.test("arrivalOf() gives back what encodeClientMessage() was given", () => {
  fc.assert(fc.property(messages, (message) => {
    assert.deepEqual(messageIn(arrivalOf(route, encodeClientMessage(message))), message);
  }));
});

Deno.test("arrivalOf() makes a message or a sentence of any bytes", () => {
  fc.assert(
    fc.property(bytes(300), (input) => {
      const arrival = arrivalOf(route, input);
      assert.equal(arrival.route, route);
      if (arrival.kind === "message") assert.notEqual(arrival.message.body.case, undefined);
      else assert.equal(arrival.kind, "unreadable");
    }),
    { numRuns: 2000 },
  );
});

Deno.test("arrivalOf() makes a message or a sentence of a message with damaged bytes", () => {
  fc.assert(
    fc.property(messages, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }))), (message, damage) => {
      const encoded = encodeClientMessage(message);
      for (const [at, byte] of damage) encoded[at % Math.max(1, encoded.length)] = byte;
      const arrival = arrivalOf(route, encoded);
      assert.ok(arrival.kind === "message" || arrival.kind === "unreadable");
    }),
    { numRuns: 1000 },
  );
});

Deno.test("arrivalOf() keeps no view of the input, also not of what it does not know", () => {
  // Field 15 of a ClientMessage is Leave; 900 is nobody's, with wire type 2 (length-delimited).
  const unknown = Uint8Array.of(0xa2, 0x38, 3, 1, 2, 3);
  fc.assert(fc.property(messages, (message) => {
    const encoded = encodeClientMessage(message);
    const pool = new Uint8Array(encoded.length + unknown.length + 8);
    pool.set(encoded, 4);
    pool.set(unknown, 4 + encoded.length);
    const input = pool.subarray(4, 4 + encoded.length + unknown.length);
    for (const array of arraysIn(messageIn(arrivalOf(route, input)))) {
      assert.equal(array.byteLength, array.buffer.byteLength);
      assert.notEqual(array.buffer, pool.buffer);
    }
  }));
});

Deno.test("a ClientMessage without a body is unreadable", () => {
  const arrival = arrivalOf(route, encodeClientMessage(clientMessage({ clientId: "a" })));
  assert.equal(arrival.kind, "unreadable");
});

Deno.test("a ServerMessage is read as it was written", () => {
  const message = serverMessage({
    runId: "run",
    body: {
      case: "modelPart",
      value: { modelRound: 3, totalBytes: 2n ** 40n, offset: 7n, bytes: Uint8Array.of(1, 2) },
    },
  });
  assert.deepEqual(decodeServerMessage(encodeServerMessage(message)), message);
});

Deno.test("decodeServerMessage() makes a message or a SyntaxError of any bytes", () => {
  fc.assert(
    fc.property(bytes(300), (input) => {
      try {
        decodeServerMessage(input);
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
