import assert from "node:assert/strict";
import { build, BUILT } from "../../examples/browser/build.ts";
import { joinPage } from "../../src/web/join_page.ts";
import { packageFiles } from "../../src/web/packages.ts";

Deno.test("the served page is what its sources give: after a change, run `deno task browser`", async () => {
  const built = await build();
  assert.deepEqual(
    [...Deno.readDirSync(BUILT)].map(({ name }) => name).sort(),
    [...built.keys()].sort(),
  );
  for (const [name, contents] of built) {
    // Not assert.equal: it would print two whole scripts.
    assert.ok(joinPage.get(`/join/${name}`)?.text === new TextDecoder().decode(contents), name);
  }
});

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
