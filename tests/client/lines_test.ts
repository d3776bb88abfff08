import assert from "node:assert/strict";
import fc from "fast-check";
import { readLines } from "../../src/client/lines.ts";

const never = new AbortController().signal;

async function linesOf(...chunks: (string | Uint8Array<ArrayBuffer>)[]): Promise<string[]> {
  const lines: string[] = [];
  const bytes = chunks.map((chunk) =>
    typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk
  );
  await readLines(ReadableStream.from(bytes), { hear: (line) => lines.push(line), signal: never });
  return lines;
}

Deno.test("readLines() takes line feeds and carriage returns for ends, and leaves blank lines out", async () => {
  const lines = await linesOf("one\r\ntwo\n\n  \n10 %\r20 %\r", "last");
  assert.deepEqual(lines, ["one", "two", "10 %", "20 %", "last"]);
});

Deno.test("readLines() gives the same lines however the bytes are cut", async () => {
  const text = "größer\n漢字 {}\r\nend";
  const bytes = new TextEncoder().encode(text);
  await fc.assert(fc.asyncProperty(fc.nat(bytes.length), fc.nat(bytes.length), async (a, b) => {
    const [from, to] = a < b ? [a, b] : [b, a];
    const chunks = [bytes.slice(0, from), bytes.slice(from, to), bytes.slice(to)];
    assert.deepEqual(await linesOf(...chunks), ["größer", "漢字 {}", "end"]);
  }));
});

Deno.test("readLines() keeps the beginning of a line without end", async () => {
  const [line = "", next] = await linesOf(...Array(50).fill("x".repeat(1000)), "\nnext");
  assert.equal(line, "x".repeat(4096));
  assert.equal(next, "next");
});

Deno.test("readLines() ends when its signal fires, with what has come", async () => {
  const stop = new AbortController();
  const lines: string[] = [];
  const output = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("one\ntw")),
  });
  await readLines(output, {
    hear: (line) => {
      lines.push(line);
      stop.abort();
    },
    signal: stop.signal,
  });
  assert.deepEqual(lines, ["one", "tw"]);
});
