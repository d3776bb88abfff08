/** deno.json lists what the sources need, and no more. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import denoJson from "../deno.json" with { type: "json" };

const root = fileURLToPath(new URL("../", import.meta.url));

/** Paths of the TypeScript files under a folder, relative to the repository. */
function sources(folder: string): string[] {
  return [...Deno.readDirSync(join(root, folder))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return sources(path);
    return name.endsWith(".ts") ? [path] : [];
  });
}

function read(path: string): string {
  return Deno.readTextFileSync(join(root, path));
}

Deno.test("compile.include has the file of every Worker: none is found by its URL", () => {
  const workers = sources("src").filter((path) => /(^|[/_])worker\.ts$/.test(path)).sort();
  assert.deepEqual(denoJson.compile.include, workers);
  const started = sources("src").flatMap((path) =>
    [...read(path).matchAll(/new URL\("([^"]*worker\.ts)", import\.meta\.url\)/g)]
      .map(([, file = ""]) => join(path, "..", file))
  );
  assert.ok(started.length > 0);
  for (const file of started) assert.ok(workers.includes(file), file);
});

Deno.test("imports are pinned to one version each, and every one is used", () => {
  const code = ["src", "tests", "examples"].flatMap(sources).map(read).join("\n");
  const specifiers = [...code.matchAll(/(?:from|import|import\(|resolve\()\s*["'`]([^"'`]+)["'`]/g)]
    .map(([, specifier = ""]) => specifier);
  for (const [name, target] of Object.entries(denoJson.imports)) {
    assert.match(target, new RegExp(`^npm:${name}@\\d+\\.\\d+\\.\\d+$`));
    assert.ok(specifiers.some((each) => each === name || each.startsWith(`${name}/`)), name);
  }
});

Deno.test("no source names a package's version or a URL to import from", () => {
  for (const path of ["main.ts", ...["src", "tests", "examples"].flatMap(sources)]) {
    assert.doesNotMatch(read(path), /(from|import\()\s*"(npm|jsr|https?):/, path);
  }
});
