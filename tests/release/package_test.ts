import assert from "node:assert/strict";
import { join } from "node:path";
import { Lock } from "../../src/release/lock.ts";
import { packagePart } from "../../src/release/package.ts";
import { StateDirectory } from "../vault/state_directory.ts";

const integrity = `sha512-${new Uint8Array(64).toBase64()}`;
const npm = { "left@1.0.0": { integrity }, "tr46@0.0.3": { integrity } };
const lock = new Lock(JSON.stringify({ version: "5", npm }));

/** A package's folder with these files. */
async function part(files: Record<string, string>, id = "left@1.0.0") {
  using directory = new StateDirectory();
  await Deno.mkdir(directory.path, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(directory.path, name), text);
  }
  return await packagePart(id, { folder: directory.path, lock });
}

Deno.test("packagePart reads the licence, and each text of it once", async () => {
  const { licence, texts, purl, sha512 } = await part({
    "package.json": '{"license":"MIT"}',
    "LICENSE": "Do what you like.\r\nBut say whose it is.\r\n",
    "license-copy.txt": "Do what you like.\nBut say whose it is.",
    "NOTICE": "By Left.\n",
    "README.md": "no licence",
  });
  assert.equal(licence, "MIT");
  assert.deepEqual(texts, ["Do what you like.\nBut say whose it is.", "By Left."]);
  assert.equal(purl, "pkg:npm/left@1.0.0");
  assert.equal(sha512, "00".repeat(64));
});

for (
  const [json, licence] of [
    ['{"license":{"type":"ISC"}}', "ISC"],
    ['{"licenses":[{"type":"MIT"},{"type":"Apache-2.0"}]}', "MIT OR Apache-2.0"],
  ] as const
) {
  Deno.test(`packagePart understands ${json}`, async () => {
    assert.equal((await part({ "package.json": json, "LICENSE": "text" })).licence, licence);
  });
}

Deno.test("packagePart takes by hand whose a package without a text is", async () => {
  const { texts, copyright } = await part({ "package.json": '{"license":"MIT"}' }, "tr46@0.0.3");
  assert.deepEqual(texts, []);
  assert.equal(copyright, "Copyright Sebastian Mayr");
});

for (
  const [what, files, message] of [
    [
      "without a licence",
      { "package.json": "{}", "LICENSE": "text" },
      "left@1.0.0 names no licence; find it, and write it into src/release/by_hand.ts",
    ],
    [
      "without a text",
      { "package.json": '{"license":"MIT"}' },
      "left@1.0.0 brings no text of its licence, MIT; find whose it is, and write it into " +
      "src/release/by_hand.ts",
    ],
    [
      "that is not here",
      {},
      "left@1.0.0 is not on this machine; say `deno install`, and this again",
    ],
    ["that is broken", { "package.json": "[" }, "The package.json of left@1.0.0 cannot be read"],
  ] as const
) {
  Deno.test(`packagePart refuses a package ${what}`, async () => {
    await assert.rejects(part(files), { name: "ReleaseError", message });
  });
}
