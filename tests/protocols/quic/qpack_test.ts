import assert from "node:assert/strict";
import fc from "fast-check";
import { readFields, readHuffman } from "../../../src/protocols/quic/qpack.ts";

async function recorded(name: string): Promise<Uint8Array> {
  const text = await Deno.readTextFile(new URL(`./frames/${name}.hex`, import.meta.url));
  return Uint8Array.fromHex(text.trim());
}

for (
  const [client, path] of [
    ["chromium-156", "/default"],
    ["aioquic-1.7.2", "/default?x=1"],
    ["deno-2.9.6", "/default"],
  ] as const
) {
  Deno.test(`readFields() reads what ${client} asks with`, async () => {
    const fields = readFields(await recorded(client));
    assert.equal(fields?.get(":method"), "CONNECT");
    assert.equal(fields?.get(":protocol"), "webtransport");
    assert.equal(fields?.get(":scheme"), "https");
    assert.equal(fields?.get(":path"), path);
  });
}

Deno.test("readFields() reads where a browser's page comes from", async () => {
  const fields = readFields(await recorded("chromium-156"));
  assert.equal(fields?.get("origin"), "http://localhost:42459");
});

// RFC 7541 appendix C.4 and C.6.
for (
  const [hex, text] of [
    ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
    ["a8eb10649cbf", "no-cache"],
    ["25a849e95ba97d7f", "custom-key"],
    ["25a849e95bb8e8b4bf", "custom-value"],
    ["6402", "302"],
    ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
    ["9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"],
  ] as const
) {
  Deno.test(`readHuffman() reads "${text}"`, () => {
    assert.equal(readHuffman(Uint8Array.fromHex(hex)), text);
  });
}

Deno.test("readHuffman() refuses padding that is too long, or not all ones", () => {
  assert.equal(readHuffman(Uint8Array.fromHex("6402ff")), undefined);
  assert.equal(readHuffman(Uint8Array.fromHex("64")), undefined);
});

Deno.test("readFields() refuses the dynamic table and cut sections", async () => {
  for (
    const hex of ["", "00", "0100", "000080", "000010", "000000", "000040", "000051", "00005105"]
  ) {
    assert.equal(readFields(Uint8Array.fromHex(hex)), undefined, hex);
  }
  const whole = await recorded("chromium-156");
  assert.equal(readFields(whole.subarray(0, -1)), undefined);
});

Deno.test("readFields() never throws, whatever the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    readFields(bytes);
    readFields(new Uint8Array([0, 0, ...bytes]));
  }));
});
