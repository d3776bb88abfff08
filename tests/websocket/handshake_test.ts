import assert from "node:assert/strict";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { opcodes } from "../../src/websocket/frames.ts";
import { Handshake } from "../../src/websocket/handshake.ts";
import { Pair } from "./pair.ts";

const REQUEST = [
  "GET /default HTTP/1.1",
  "host: 127.0.0.1",
  "upgrade: websocket",
  "connection: upgrade",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
].join("\r\n") + "\r\n\r\n";

Deno.test("Handshake reads a request and opens the WebSocket, frames behind the request included", async () => {
  await using pair = await Pair.open();
  const handshake = new Handshake(pair.tcp);
  await pair.says({ text: REQUEST });
  await pair.says({ hex: "828100000000" + "2a" });
  const request = await handshake.request();
  assert.ok(!("verdict" in request));
  assert.equal(request.path, "/default");
  const line = await handshake.accept(request, "mqtt");
  const frame = await line.next();
  assert.ok(frame.kind === "frame");
  assert.deepEqual([frame.opcode, frame.lengthBytes], [opcodes.binary, 1]);
});

for (
  const [what, text, reason] of [
    ["what is no HTTP", "\x10\x0e\0\x04MQTT", /^The connection opens with no HTTP request$/],
    ["a request for a page", "GET / HTTP/1.1\r\n\r\n", /^The request is not for a WebSocket$/],
  ] as const
) {
  Deno.test(`Handshake refuses ${what}, and says why`, async () => {
    await using pair = await Pair.open();
    const handshake = new Handshake(pair.tcp);
    await pair.says({ text });
    const refusal = await handshake.request();
    assert.ok("verdict" in refusal);
    assert.equal(refusal.verdict, Verdict.MALFORMED);
    assert.match(refusal.reason, reason);
    await handshake.refuse(refusal);
    await pair.tcp.closeWrite();
    assert.match(await new Response(pair.client.readable).text(), /^HTTP\/1\.1 400 /);
  });
}
