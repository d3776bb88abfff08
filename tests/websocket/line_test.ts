import assert from "node:assert/strict";
import { opcodes } from "../../src/websocket/frames.ts";
import { WebSocketLine } from "../../src/websocket/line.ts";
import { Pair } from "./pair.ts";

/** Masked with zeros, so that the bytes can be read. */
const MASK = "00000000";

for (
  const [what, hex, code] of [
    ["a text message", `8180${MASK}`, 1003],
    ["a continuation of nothing", `8080${MASK}`, 1002],
    ["a message within another", `0280${MASK}8280${MASK}`, 1002],
    ["a frame that is not masked", "820400000000", 1002],
    ["an unknown opcode", `8380${MASK}`, 1002],
  ] as const
) {
  Deno.test(`WebSocketLine.next() finds ${what} broken, to be closed with ${code}`, async () => {
    await using pair = await Pair.open();
    const line = new WebSocketLine(pair.tcp);
    await pair.says({ hex });
    let next = await line.next();
    if (next.kind === "frame") next = await line.next();
    assert.ok(next.kind === "broken", next.kind);
    assert.equal(next.code, code);
  });
}

Deno.test("WebSocketLine.next() answers pings, passes over pongs, and ends with Close", async () => {
  await using pair = await Pair.open();
  const line = new WebSocketLine(pair.tcp);
  await pair.says({ hex: `8982${MASK}0102` + `8a80${MASK}` + `8280${MASK}` + `8882${MASK}03e8` });
  assert.equal((await line.next()).kind, "frame");
  assert.equal(await pair.hears(4), "8a020102");
  assert.equal(line.closeHeard, false);
  assert.equal((await line.next()).kind, "end");
  assert.equal(line.closeHeard, true);
});

Deno.test("WebSocketLine.next() is lost when the connection ends within a frame's head", async () => {
  await using pair = await Pair.open();
  const line = new WebSocketLine(pair.tcp);
  await pair.says({ hex: "82fe01" });
  pair.client.close();
  assert.equal((await line.next()).kind, "lost");
});

Deno.test("WebSocketLine says Close once, and nothing after it", async () => {
  await using pair = await Pair.open();
  const line = new WebSocketLine(pair.tcp);
  assert.equal(await line.write(opcodes.binary, Uint8Array.of(7)), 3);
  await line.sayClose(1000, "bye");
  await line.sayClose(1002, "again");
  await assert.rejects(line.write(opcodes.binary, Uint8Array.of(8)), /closing/);
  await pair.tcp.closeWrite();
  assert.equal(await pair.hears(100), "820107" + "880503e8627965");
});

Deno.test("WebSocketLine.write() writes large frames whole, in the order of the calls", async () => {
  await using pair = await Pair.open();
  const line = new WebSocketLine(pair.tcp);
  const large = new Uint8Array(70_000).fill(9);
  const writes = [line.write(opcodes.binary, large), line.write(opcodes.pong, new Uint8Array(0))];
  const heard = await pair.hears(10 + 70_000 + 2);
  assert.deepEqual(await Promise.all(writes), [70_010, 2]);
  assert.equal(heard, "827f0000000000011170" + "09".repeat(70_000) + "8a00");
});
