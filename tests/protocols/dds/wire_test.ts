import assert from "node:assert/strict";
import * as fc from "fast-check";
import { arrivalOf } from "../../../src/contract/codec.ts";
import {
  addressOf,
  clientOf,
  everyClientOf,
  isLoopback,
  maxSampleBytes,
  partitionOf,
  sampleBytes,
  urlOf,
} from "../../../src/protocols/dds/wire.ts";

const CHARACTERS = [..."ABCXYZabcxyz0189._-"];
const clientIds = fc.string({ unit: fc.constantFrom(...CHARACTERS), minLength: 1, maxLength: 64 });

Deno.test("partitionOf() puts a client into its federation's partition", () => {
  assert.equal(partitionOf("default", "client-1"), "default/client-1");
  assert.equal(everyClientOf("default"), "default/*");
});

Deno.test("partitionOf() leaves no wildcard and no further segment to a federation's name", () => {
  assert.equal(partitionOf("a/b*[c]?", "x"), "a%2Fb%2A%5Bc%5D%3F/x");
});

Deno.test("clientOf() reads back what partitionOf() wrote, for its federation alone", () => {
  fc.assert(fc.property(fc.string({ minLength: 1 }), clientIds, (federation, clientId) => {
    const partition = partitionOf(federation, clientId);
    assert.equal(clientOf(federation, partition), clientId);
    assert.equal(clientOf(`${federation}x`, partition), undefined);
  }));
});

Deno.test("clientOf() takes no partition that names anybody else", () => {
  for (const partition of ["", "default", "default/", "default/*", "default/a/b", "default/ä"]) {
    assert.equal(clientOf("default", partition), undefined, partition);
  }
});

Deno.test("addressOf() reads back what urlOf() wrote", () => {
  const addresses = fc.record({
    hostname: fc.ipV4(),
    port: fc.integer({ min: 1, max: 65_534 }),
    federation: fc.string({ minLength: 1 }),
    domain: fc.integer({ min: 0, max: 232 }),
  }, { noNullPrototype: true });
  fc.assert(fc.property(addresses, (address) => {
    // A URL's path does not keep dot segments, and no federation may be named so.
    fc.pre(![".", ".."].includes(address.federation));
    assert.deepEqual(addressOf(new URL(urlOf(address))), address);
  }));
});

Deno.test("addressOf() says what to change", () => {
  const cases = [
    ["mqtt://127.0.0.1:7410/default", /write dds:/],
    ["dds://127.0.0.1:7410/%ff", /name the federation/],
    ["dds://127.0.0.1:7410/default?domain=-1", /domain must be/],
    ["dds://127.0.0.1:7410/default?domain=x", /domain must be/],
  ] as const;
  for (const [url, message] of cases) {
    assert.throws(() => addressOf(new URL(url)), { name: "TypeError", message });
  }
});

/** A sample that cyclonedds-python serialised: CDR header, key, seq, body. */
async function recorded(name: string): Promise<{ length: number; body: Uint8Array }> {
  const text = await Deno.readTextFile(new URL(`frames/${name}.hex`, import.meta.url));
  const bytes = Uint8Array.fromHex(text.trim());
  const bodyAt = 4 + 16 + 8 + 4; // the key, "client-1" with length and zero, ends at 13 of 16
  const length = new DataView(bytes.buffer).getUint32(bodyAt - 4, true);
  return { length: bytes.length, body: bytes.subarray(bodyAt, bodyAt + length) };
}

Deno.test("sampleBytes() is the length of a stock client's sample", async () => {
  for (const name of ["hello", "update_part"]) {
    const { length, body } = await recorded(name);
    assert.equal(sampleBytes("client-1", body.length), length);
  }
});

Deno.test("a stock client's samples carry the messages of wire.md's test vectors", async () => {
  const route = { wire: "dds", id: 1 };
  const hello = arrivalOf(route, (await recorded("hello")).body);
  assert.ok(hello.kind === "message" && hello.message.body.case === "hello");
  assert.equal(hello.message.clientId, "client-1");
  assert.equal(hello.message.body.value.samples, 100);
  const part = arrivalOf(route, (await recorded("update_part")).body);
  assert.ok(part.kind === "message" && part.message.body.case === "updatePart");
  assert.equal(part.message.runId, "run-1");
  assert.deepEqual([...part.message.body.value.bytes], [1, 2, 3, 4, 5, 6, 7, 8]);
});

Deno.test("maxSampleBytes() bounds every client's sample", () => {
  fc.assert(fc.property(clientIds, fc.nat(4096), (clientId, bytes) => {
    assert.ok(sampleBytes(clientId, bytes) <= maxSampleBytes(4096));
  }));
});

Deno.test("isLoopback() knows this machine's own names", () => {
  assert.ok(isLoopback("localhost") && isLoopback("127.0.0.1") && isLoopback("127.8.9.10"));
  assert.ok(!isLoopback("192.0.2.1") && !isLoopback("example.org"));
});
