import assert from "node:assert/strict";
import * as fc from "fast-check";
import { fileInWheel } from "../../../src/protocols/dds/wheel.ts";

/** Two files as Python 3.11's zipfile writes them, ZIP_STORED and ZIP_DEFLATED. */
const ARCHIVE = Uint8Array.fromHex(
  (await Deno.readTextFile(new URL("frames/wheel.hex", import.meta.url))).trim(),
);

Deno.test("fileInWheel() takes out a file as it is, stored or deflated", async () => {
  const text = async (name: string) => new TextDecoder().decode(await fileInWheel(ARCHIVE, name));
  assert.equal(await text("a/stored.txt"), "stored");
  assert.equal(await text("a/deflated.txt"), "deflated ".repeat(100));
});

Deno.test("fileInWheel() says which file an archive does not have", async () => {
  await assert.rejects(fileInWheel(ARCHIVE, "b"), {
    name: "SyntaxError",
    message: "The wheel has no b",
  });
});

Deno.test("fileInWheel() rejects whatever is no archive with a SyntaxError", async () => {
  const cuts = fc.nat(ARCHIVE.length - 1).map((length) => ARCHIVE.slice(0, length));
  await fc.assert(fc.asyncProperty(fc.oneof(fc.uint8Array(), cuts), async (bytes) => {
    await assert.rejects(fileInWheel(new Uint8Array(bytes), "a/deflated.txt"), SyntaxError);
  }));
});
