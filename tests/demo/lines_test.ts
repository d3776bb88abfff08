import assert from "node:assert/strict";
import { TextLineStream } from "../../src/demo/lines.ts";

async function linesOf(...chunks: string[]): Promise<string[]> {
  return await Array.fromAsync(ReadableStream.from(chunks).pipeThrough(new TextLineStream()));
}

Deno.test("TextLineStream cuts at line ends, wherever the chunks end", async () => {
  assert.deepEqual(await linesOf("one\ntw", "o\nthr", "ee\n"), ["one", "two", "three"]);
  assert.deepEqual(await linesOf("a\r\nb\r\n"), ["a", "b"]);
  assert.deepEqual(await linesOf("a\n\nb\n"), ["a", "", "b"]);
});

Deno.test("TextLineStream gives the last line, ended or not", async () => {
  assert.deepEqual(await linesOf("one\ntwo"), ["one", "two"]);
  assert.deepEqual(await linesOf(), []);
});
