import assert from "node:assert/strict";
import { join } from "node:path";
import { FileLock } from "../src/file_lock.ts";
import { TextLineStream } from "../src/demo/lines.ts";

async function inDirectory(test: (directory: string) => Promise<void> | void): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "tributary-lock-" });
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("FileLock.take() takes a file once, until it is let go of", () =>
  inDirectory((directory) => {
    const path = join(directory, "lock");
    const lock = FileLock.take(path);
    assert.ok(lock);
    assert.equal(FileLock.take(path), undefined);
    lock[Symbol.dispose]();
    lock[Symbol.dispose]();
    using again = FileLock.take(path);
    assert.ok(again);
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["lock"]);
    // Windows has no modes.
    if (Deno.build.os !== "windows") assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("FileLock.take() says in the system's words what is wrong with the path", () =>
  inDirectory((directory) => {
    assert.throws(() => FileLock.take(join(directory, "none", "lock")), Deno.errors.NotFound);
    assert.throws(() => FileLock.take(directory), Deno.errors.IsADirectory);
  }));

Deno.test("a process that is killed lets go of its FileLock", () =>
  inDirectory(async (directory) => {
    const path = join(directory, "lock");
    const module = new URL("../src/file_lock.ts", import.meta.url).href;
    const code = `import { FileLock } from ${JSON.stringify(module)};
      globalThis.lock = FileLock.take(${JSON.stringify(path)});
      console.log("taken");
      setInterval(() => {}, 1000);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", code],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
    assert.equal((await lines.read()).value, "taken");
    assert.equal(FileLock.take(path), undefined);
    child.kill("SIGKILL");
    await child.status;
    await lines.cancel();
    using lock = FileLock.take(path);
    assert.ok(lock);
  }));
