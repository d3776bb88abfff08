import assert from "node:assert/strict";
import fc from "fast-check";
import { authenticated, type Connected, Seal } from "../../src/contract/seal.ts";

const signature = new Uint8Array(32).fill(5);
const connected: Connected = {
  federation: "default",
  clientId: "client-1",
  nonce: new Uint8Array(16).fill(1),
  challenge: new Uint8Array(16).fill(2),
};
const ends = (direction: "up" | "down" = "up") => ({
  writer: new Seal(signature, direction, connected),
  reader: new Seal(signature, direction, connected),
});
const bytes = () => fc.uint8Array({ maxLength: 64 });

Deno.test("Seal takes what the other end sealed, each message once", () => {
  fc.assert(fc.property(fc.array(bytes(), { maxLength: 20 }), (bodies) => {
    const { writer, reader } = ends();
    for (const body of bodies) {
      const sealed = writer.next(new Uint8Array(body));
      assert.ok(reader.takes(sealed));
      assert.ok(!reader.takes(sealed), "a second time");
    }
  }));
});

Deno.test("Seal refuses a message with any bit of body, tag or number flipped", () => {
  fc.assert(fc.property(bytes(), fc.nat(), (given, at) => {
    const { writer, reader } = ends();
    const { number, body, tag } = writer.next(new Uint8Array(given));
    const bits = 8 * (body.length + tag.length + 8);
    const bit = at % bits;
    const flipped = { number, body: body.slice(), tag: tag.slice() };
    if (bit < 64) flipped.number ^= 1n << BigInt(bit);
    else {
      const [array, from] = bit < 64 + 8 * body.length
        ? [flipped.body, bit - 64]
        : [flipped.tag, bit - 64 - 8 * body.length];
      array[from >> 3] = (array[from >> 3] ?? 0) ^ 1 << (from & 7);
    }
    assert.ok(!reader.takes(flipped));
    assert.ok(reader.takes({ number, body, tag }), "what is refused changes nothing");
  }));
});

Deno.test("Seal takes messages in any order within its window, each once, and none older", () => {
  fc.assert(fc.property(
    fc.shuffledSubarray([...Array(1000).keys()], { minLength: 1, maxLength: 60 }),
    (order) => {
      const { writer, reader } = ends();
      const all = Array.from({ length: 1000 }, () => writer.next(new Uint8Array(1)));
      for (const index of [...order, ...order]) {
        const sealed = all[index];
        assert.ok(sealed);
        const isFirst = order.includes(index);
        assert.equal(reader.takes(sealed), isFirst && !taken.has(index));
        taken.add(index);
      }
      taken.clear();
    },
  ));
});
const taken = new Set<number>();

Deno.test("Seal refuses what is a window behind the newest", () => {
  const { writer, reader } = ends();
  const [first, second] = [writer.next(new Uint8Array(1)), writer.next(new Uint8Array(1))];
  let newest = second;
  for (let count = 2; count < 1025; count++) newest = writer.next(new Uint8Array(1));
  assert.equal(newest.number, 1025n);
  assert.ok(reader.takes(newest));
  assert.ok(!reader.takes(first), "1025 - 1 is the window");
  assert.ok(reader.takes(second));
});

Deno.test("Seal's keys differ in direction, federation, client, nonce, challenge and signature", () => {
  const sealed = new Seal(signature, "up", connected).next(new Uint8Array([1]));
  const others = [
    new Seal(signature, "down", connected),
    new Seal(new Uint8Array(32).fill(6), "up", connected),
    ...[
      { federation: "defaul" },
      { clientId: "client-2" },
      // The same bytes on end as `default` and `client-1`.
      { federation: "defaultclient", clientId: "-1" },
      { nonce: new Uint8Array(16).fill(3) },
      { challenge: new Uint8Array() },
    ].map((other) => new Seal(signature, "up", { ...connected, ...other })),
  ];
  for (const other of others) assert.ok(!other.takes(sealed));
});

Deno.test("authenticated() puts each part behind its length", () => {
  const parts = fc.record({ federation: fc.string(), clientId: fc.string(), nonce: bytes() });
  fc.assert(fc.property(parts, parts, (left, right) => {
    const same = left.federation === right.federation && left.clientId === right.clientId &&
      String(left.nonce) === String(right.nonce);
    const [one, other] = [left, right].map((each) =>
      authenticated(signature, "proof", each).toHex()
    );
    assert.equal(one === other, same);
  }));
});
