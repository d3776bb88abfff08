import assert from "node:assert/strict";
import { openCyclone } from "../../../src/protocols/dds/cyclone.ts";
import { findLibrary, LIBRARY_ADVICE } from "../../../src/protocols/dds/library.ts";
import { cyclone, library } from "./library.ts";

Deno.test("findLibrary() takes the option's word for it", () => {
  assert.equal(findLibrary("/some/libddsc.so"), "/some/libddsc.so");
});

Deno.test("findLibrary() finds what set-up fetched or the system has", async () => {
  assert.ok((await Deno.stat(library)).isFile);
});

Deno.test("LIBRARY_ADVICE is the end of one sentence", () => {
  assert.doesNotMatch(LIBRARY_ADVICE, /[\n.]$|\n/);
});

Deno.test("openCyclone() opens one library once", () => {
  assert.equal(openCyclone(library), cyclone);
});

Deno.test("openCyclone() says in one line what is wrong with a file", async () => {
  const noLibrary = await Deno.makeTempFile();
  for (const path of [noLibrary, `${noLibrary}.missing`]) {
    assert.throws(() => openCyclone(path), (error: Error) => {
      assert.equal(error.name, "LibraryError");
      assert.ok(error.message.startsWith(`Cannot use ${path} as libddsc: `));
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
  await Deno.remove(noLibrary);
});
