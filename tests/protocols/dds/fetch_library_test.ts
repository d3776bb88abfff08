import assert from "node:assert/strict";
import { join } from "node:path";
import { fetchLibrary } from "../../../src/protocols/dds/fetch_library.ts";
import { FETCHED_NAME } from "../../../src/protocols/dds/library.ts";

async function inTemporary(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("fetchLibrary() leaves a library that is there alone", () =>
  inTemporary(async (directory) => {
    const path = join(directory, FETCHED_NAME);
    await Deno.writeTextFile(path, "there already");
    assert.equal(await fetchLibrary({ directory }), path);
    assert.equal(await Deno.readTextFile(path), "there already");
  }));

Deno.test("fetchLibrary() called twice at once gives both the one whole library", () =>
  inTemporary(async (parent) => {
    const directory = join(parent, "not", "there", "yet");
    const [one, other] = await Promise.all([
      fetchLibrary({ directory }),
      fetchLibrary({ directory }),
    ]);
    assert.equal(one, other);
    assert.ok((await Deno.stat(one)).size > 1_000_000);
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), [FETCHED_NAME]);
  }));

Deno.test("fetchLibrary() says in one sentence that there is no pip", () =>
  inTemporary(async (directory) => {
    const module = new URL("../../../src/protocols/dds/fetch_library.ts", import.meta.url);
    const script = `import { fetchLibrary } from ${JSON.stringify(module.href)};
      await fetchLibrary({ directory: ${JSON.stringify(directory)} })
        .catch((error) => console.log(error.message));`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", script],
      env: { PATH: directory },
    }).output();
    assert.equal(
      new TextDecoder().decode(stdout),
      "Cannot fetch libddsc: pip is not installed; install Python 3 with pip, or install " +
        "Cyclone DDS\n",
    );
    assert.deepEqual([...Deno.readDirSync(directory)].filter(({ isFile }) => isFile), []);
  }));
