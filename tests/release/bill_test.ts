import assert from "node:assert/strict";
import { billOf, validate } from "../../src/release/bill.ts";
import { notices } from "../../src/release/notices.ts";
import type { Part } from "../../src/release/part.ts";

const executables = [{ name: "tributary", sha256: "cd".repeat(32), bytes: 1, deno: "2.9.6" }];

const left: Part = {
  kind: "package",
  name: "@some/left",
  version: "1.0.0",
  licence: "(Apache-2.0 AND BSD-3-Clause)",
  texts: [],
  copyright: "Copyright Left",
  purl: "pkg:npm/%40some/left@1.0.0",
  sha512: "ab".repeat(64),
  needs: ["right@2.0.0", "absent@1.0.0"],
};
const right: Part = {
  kind: "package",
  name: "right",
  version: "2.0.0",
  licence: "MIT",
  texts: ["The same words."],
  needs: [],
};
const digits: Part = {
  kind: "data",
  name: "digits",
  licence: "Their own licence",
  texts: ["The same words."],
  source: "https://example.org/digits",
  needs: [],
};

Deno.test("billOf says what is inside: versions, hashes, licences, and what needs what", async () => {
  const bill = JSON.parse(await billOf(executables, [left, right, digits]));
  assert.deepEqual([bill.bomFormat, bill.specVersion], ["CycloneDX", "1.6"]);
  const [file] = bill.metadata.component.components;
  assert.deepEqual(file.hashes, [{ alg: "SHA-256", content: "cd".repeat(32) }]);
  const [first, second, third] = bill.components;
  assert.deepEqual(
    [first, second, third].map(({ type, group, name, version }) => [type, group, name, version]),
    [
      ["library", "@some", "left", "1.0.0"],
      ["data", undefined, "digits", undefined],
      ["library", undefined, "right", "2.0.0"],
    ],
  );
  assert.deepEqual(second.licenses, [{ license: { name: "Their own licence" } }]);
  assert.deepEqual(first.licenses, [{ expression: "(Apache-2.0 AND BSD-3-Clause)" }]);
  assert.deepEqual(third.licenses, [{ license: { id: "MIT" } }]);
  assert.deepEqual(first.hashes, [{ alg: "SHA-512", content: "ab".repeat(64) }]);
  assert.equal(first.purl, "pkg:npm/%40some/left@1.0.0");
  assert.deepEqual(second.externalReferences, [
    { type: "website", url: "https://example.org/digits" },
  ]);
  const needs = new Map(
    bill.dependencies.map(({ ref, dependsOn }: { ref: string; dependsOn?: string[] }) =>
      [ref, dependsOn] as const
    ),
  );
  assert.deepEqual(needs.get("@some/left@1.0.0"), ["right@2.0.0"]);
});

Deno.test("billOf writes the same bill of the same parts in any order", async () => {
  const one = await billOf(executables, [left, right, digits]);
  assert.equal(await billOf(executables, [digits, right, left]), one);
});

Deno.test("a bill that CycloneDX's schema does not allow is refused", async () => {
  const text = await billOf(executables, [right]);
  await validate(text);
  await assert.rejects(validate(text.replace('"MIT"', '"MINE"')), {
    name: "ReleaseError",
    message: /^The bill of materials does not follow CycloneDX 1\.6: /,
  });
});

Deno.test("notices has each text once, below all whose it is", async () => {
  const text = await notices([right, digits]);
  assert.equal(text.split("The same words.").length, 2);
  assert.ok(text.includes("\nright@2.0.0 (MIT)\ndigits (Their own licence)\n\nThe same words.\n"));
});

Deno.test("notices gives the standard texts where a part brings none", async () => {
  const text = await notices([left]);
  assert.ok(text.includes("\n\nCopyright Left\nUnder (Apache-2.0 AND BSD-3-Clause), as it stands"));
  assert.match(text, /=\nBSD-3-Clause\n\nRedistribution and use/);
  assert.match(text, /=\nApache-2\.0\n\nApache License/);
});

Deno.test("notices refuses a licence whose text nobody has", async () => {
  await assert.rejects(notices([{ ...left, licence: "Beerware" }]), {
    name: "ReleaseError",
    message: "The text of Beerware is missing; write it into src/release/texts/Beerware.txt",
  });
});
