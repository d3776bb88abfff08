/** tests/README.md names tests that exist, and every folder there is. */

import assert from "node:assert/strict";

const here = new URL("./", import.meta.url);
const readme = Deno.readTextFileSync(new URL("README.md", here));

interface Row {
  readonly broke: string;
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

/** The rows below the heading on what broke: what, the defence, `file`: name<br>`file`: name. */
function rows(): Row[] {
  const [, tables = ""] = readme.split("## What broke");
  return [...tables.matchAll(/^\| (.+?) +\| .+? +\| (.+?) +\|$/gm)]
    .filter(([, broke = ""]) => !/^(what broke|-+)$/.test(broke))
    .map(([, broke = "", cell = ""]) => ({
      broke,
      tests: cell.split("<br>").map((each) => {
        const [, file = "", name = ""] = /^`([^`]+)`: (.+)$/.exec(each) ?? assert.fail(each);
        return { file, name: name.replace(/^`` ?(.*?) ?``$/, "$1").replaceAll("\\_", "_") };
      }),
    }));
}

/** Names of tests as their files write them: also those put together from a wire or a level. */
function names(file: string): ReadonlySet<string> {
  const code = Deno.readTextFileSync(new URL(file, here));
  const called =
    /\b(?:Deno\.test|claim|test)\(\s*(?:\{\s*name: )?(?:"([^"]+)"|'([^']+)'|`([^`]+)`)/g;
  return new Set(
    [...code.matchAll(called)].map(([, double, single, template]) =>
      double ?? single ?? template ?? ""
    ),
  );
}

Deno.test("every test that the table of tests/README.md names exists", () => {
  const all = rows();
  assert.ok(all.length >= 57, `only ${all.length} rows`);
  for (const { broke, tests } of all) {
    for (const { file, name } of tests) {
      assert.ok(names(file).has(name), `${broke}: ${file} has no test "${name}"`);
    }
  }
});

Deno.test("the map of tests/README.md has every folder of tests, and no other", () => {
  const [map = ""] = readme.split("## What broke");
  const mapped = [...map.matchAll(/^\| (`.+?) +\|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, folder = ""]) => folder)
  );
  const folders = [...Deno.readDirSync(here)].filter(({ isDirectory }) => isDirectory);
  assert.deepEqual(mapped.sort(), folders.map(({ name }) => name).sort());
});
