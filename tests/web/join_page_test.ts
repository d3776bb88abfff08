import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { joinPage } from "../../src/web/join_page.ts";
import { packageFiles } from "../../src/web/packages.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("the served page is what its sources give: after a change, run `deno task browser`", async () => {
  const folder = await Deno.makeTempDir({ prefix: "tributary-page-" });
  try {
    // By itself: esbuild's own process may end later than the build.
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "examples/browser/build.ts", folder],
      cwd: ROOT,
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const names = namesIn(folder);
    assert.deepEqual(namesIn(join(ROOT, "src/web/join")), names);
    for (const name of names) {
      // Not assert.equal: it would print two whole scripts.
      const built = await Deno.readTextFile(join(folder, name));
      assert.ok(joinPage.get(`/join/${name}`)?.text === built, name);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("the served page names nothing that is not served beside it", () => {
  const served = new Set([...joinPage.keys(), ...packageFiles().keys()]);
  const html = joinPage.get("/join/")?.text ?? "";
  const named = [
    ...[...html.matchAll(/<(?:link|script)[^>]* (?:href|src)="([^"]+)"/g)],
    ...[...joinPage].flatMap(([path, { text }]) =>
      path.endsWith(".js") ? [...text.matchAll(/(?:from|import|import\(|URL\()"(\.\/[^"]+)"/g)] : []
    ),
  ].map(([, name = ""]) => new URL(name, "http://server/join/"));
  assert.ok(named.length > 5);
  for (const { protocol, pathname } of named) {
    if (protocol !== "data:" && pathname !== "/join/") assert.ok(served.has(pathname), pathname);
  }
});

Deno.test("packageFiles() are all there", async () => {
  const files = packageFiles();
  assert.equal(files.size, 8);
  for (const { path } of files.values()) assert.ok((await Deno.stat(path)).size > 1000, path);
});
