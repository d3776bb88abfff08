/** What no file of the repository may hold, whatever it is for. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Made by tools or downloaded; no part of the repository. */
const NOT_OURS = new Set([".git", ".cache", "dist", "node_modules", "target", "__pycache__"]);

function filesUnder(folder: string): string[] {
  return [...Deno.readDirSync(root + folder)].flatMap(({ name, isDirectory, isFile }) => {
    const path = folder + name;
    if (isDirectory) return NOT_OURS.has(name) ? [] : filesUnder(`${path}/`);
    return isFile ? [path] : [];
  });
}

const files = filesUnder("");
const latin1 = new TextDecoder("latin1"); // reads any bytes
const textOf = (path: string) => latin1.decode(Deno.readFileSync(root + path));

Deno.test("no private key is in the repository", () => {
  assert.ok(files.length > 500, `only ${files.length} files`);
  for (const path of files) {
    assert.doesNotMatch(path, /\.(key|p12|pfx|jks|keystore)$/);
    // A key in PEM has its bytes in Base64 on the next line; a sentence about one has not.
    assert.doesNotMatch(
      textOf(path),
      /-----BEGIN [A-Z ]*PRIVATE KEY-----(\r?\n|\\n)[A-Za-z0-9+/=]{16}/,
      path,
    );
  }
});

/** What makes code or objects of any class out of received bytes, by language. */
const CODE_FROM_BYTES: Readonly<Record<string, RegExp>> = {
  ts: /\beval\(|\bnew Function\(|\brunIn\w*Context\((?!"gc"\))|\bdeserialize\(/,
  js: /\beval\(|\bnew Function\(/,
  py: /\b(c?pickle|marshal|shelve|dill|joblib)\b|\bc?eval\(|\bexec\(|allow_pickle=True/,
  rs: /\bbincode\b|\blibloading\b/,
  go: /"encoding\/gob"|"plugin"/,
};

/** A built page is made of packages of others; `model.eval()` is PyTorch's word for "do not train". */
const WITHOUT_HARM = /^src\/web\/join\/|\bmodel\.eval\(\)/;

Deno.test("no source makes code of bytes: models are numbers, and no format carries anything else", () => {
  let read = 0;
  for (const path of files) {
    const forbidden = CODE_FROM_BYTES[path.slice(path.lastIndexOf(".") + 1)];
    const ours = path === "main.ts" || /^(src|examples)\//.test(path);
    if (forbidden === undefined || !ours || WITHOUT_HARM.test(path)) continue;
    read++;
    for (const line of textOf(path).split("\n")) {
      if (forbidden.test(line)) assert.match(line, WITHOUT_HARM, `${path}: ${line.trim()}`);
    }
  }
  assert.ok(read > 300, `only ${read} sources`);
});

/** Beside these, a call that ends in Sync answers from memory. */
const WAITS = /\bAtomics\.wait\(|\b(?!query|configure)\w+Sync\(|\bsleep\(/;

/** Called once, before the Worker listens. */
const BEFORE_LISTENING = ["src/protocols/dds/library.ts"];

Deno.test("nothing on a wire's loop waits where others must wait with it", () => {
  const waiting = files.filter((path) =>
    /^src\/(contract|coordinator|protocols|websocket)\/.*\.ts$/.test(path) &&
    WAITS.test(textOf(path))
  );
  assert.deepEqual(waiting, BEFORE_LISTENING);
});

Deno.test("every call into libddsc that waits is one that leaves its thread free", () => {
  const declared = textOf("src/protocols/dds/cyclone.ts");
  for (const name of ["dds_waitset_wait", "dds_wait_for_acks", "dds_delete"]) {
    const [, declaration = ""] = new RegExp(`\\b${name}: \\{([^}]*)\\}`).exec(declared) ??
      assert.fail(`no ${name}`);
    assert.match(declaration, /nonblocking: true/, name);
  }
});
