import assert from "node:assert/strict";
import { Pair } from "./pair.ts";

const HEAD = { begin: "GET ", end: "\r\n\r\n", maxBytes: 8192 };

Deno.test("Tcp.takeText() leaves what follows the text to be taken", async () => {
  await using pair = await Pair.open();
  await pair.says({ text: "GET / HTTP/1.1\r\n\r\nabcdef" });
  assert.equal(await pair.tcp.takeText(HEAD), "GET / HTTP/1.1");
  const some = new Uint8Array(2);
  assert.equal(await pair.tcp.takeSome(some), 2);
  assert.equal(new TextDecoder().decode(some), "ab");
  assert.equal(new TextDecoder().decode(await pair.tcp.take(4)), "cdef");
});

Deno.test("Tcp.takeText() gives up at the first byte that does not fit", async () => {
  await using pair = await Pair.open();
  await pair.says({ text: "P" });
  assert.equal(await pair.tcp.takeText(HEAD), undefined);
});

Deno.test("Tcp.takeText() gives up where the end does not come in time", async () => {
  await using pair = await Pair.open();
  await pair.says({ text: `GET /${"a".repeat(20)}` });
  assert.equal(await pair.tcp.takeText({ ...HEAD, maxBytes: 10 }), undefined);
});

Deno.test("Tcp.take() gives exactly so many bytes, or none where the connection ends before", async () => {
  await using pair = await Pair.open();
  await pair.says({ hex: "010203" });
  pair.client.close();
  assert.deepEqual(await pair.tcp.take(2), Uint8Array.of(1, 2));
  assert.equal(await pair.tcp.take(2), undefined);
  assert.equal(await pair.tcp.over, "The connection is lost: it was closed without a word");
});

Deno.test("Tcp.closeWrite() ends our half once what was written has left", async () => {
  await using pair = await Pair.open();
  const written = pair.tcp.write(Uint8Array.of(1), Uint8Array.of(2, 3));
  await pair.tcp.closeWrite();
  assert.equal(await written, 3);
  assert.equal(await pair.hears(10), "010203");
  await pair.says({ hex: "04" }); // the other half goes on
  assert.deepEqual(await pair.tcp.take(1), Uint8Array.of(4));
});

Deno.test("Tcp counts what comes in, and fails to write when it is over", async () => {
  await using pair = await Pair.open();
  let counted = 0;
  pair.tcp.count = (bytes) => {
    counted += bytes;
  };
  await pair.says({ hex: "0102" });
  await pair.tcp.take(2);
  assert.equal(counted, 2);
  pair.tcp.close("enough");
  pair.tcp.close("twice");
  assert.equal(await pair.tcp.over, "enough");
  await assert.rejects(pair.tcp.write(Uint8Array.of(1)), /^Error: enough$/);
});
