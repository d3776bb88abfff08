import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { TextLineStream } from "../src/demo/lines.ts";

const MODULE = new URL("../src/private_directory.ts", import.meta.url).href;

/** A process that makes a private directory in `parent`, says where, and lives until it is ended. */
class Owner implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;

  constructor(parent: string) {
    const code = `import { PrivateDirectory } from ${JSON.stringify(MODULE)};
      const directory = PrivateDirectory.make();
      Deno.addSignalListener("SIGTERM", () => { directory[Symbol.dispose](); Deno.exit(); });
      setInterval(() => {}, 1000); // a signal listener keeps no process alive
      console.log(directory.path);`;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", code],
      env: { TMPDIR: parent },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  }

  async path(): Promise<string> {
    return (await this.#lines.read()).value ?? assert.fail("the process ended");
  }

  async end(signal: Deno.Signal): Promise<void> {
    this.#child.kill(signal);
    await this.#child.status;
    await this.#lines.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGTERM").catch(() => {}); // it has ended
  }
}

async function inParent(test: (parent: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "tributary-parent-" });
  try {
    await test(parent);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function names(parent: string): string[] {
  return [...Deno.readDirSync(parent)].map(({ name }) => name).sort();
}

Deno.test("PrivateDirectory.make() makes a directory that no other user may look into", () =>
  inParent(async (parent) => {
    await using owner = new Owner(parent);
    const path = await owner.path();
    assert.equal(dirname(path), parent);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o700);
    await owner.end("SIGTERM");
    assert.deepEqual(names(parent), []);
  }));

Deno.test("PrivateDirectory.make() removes what a killed process left, and nothing of a living one", () =>
  inParent(async (parent) => {
    const killed = new Owner(parent);
    await using living = new Owner(parent);
    const [abandoned, used] = [await killed.path(), await living.path()];
    await killed.end("SIGKILL");
    assert.deepEqual(names(parent), [basename(abandoned), basename(used)].sort());
    await using next = new Owner(parent);
    const made = await next.path();
    assert.deepEqual(names(parent), [basename(used), basename(made)].sort());
  }));

Deno.test("PrivateDirectory.make() leaves alone what only looks like one of its own", () =>
  inParent(async (parent) => {
    const lock = ".tributary-lock";
    const open = join(parent, "tributary-process-open");
    await Deno.mkdir(open, { mode: 0o755 });
    await Deno.writeTextFile(join(open, lock), "");
    await Deno.mkdir(join(parent, "tributary-process-unlocked"), { mode: 0o700 });
    const elsewhere = join(parent, "elsewhere");
    await Deno.mkdir(elsewhere, { mode: 0o700 });
    await Deno.writeTextFile(join(elsewhere, lock), "");
    await Deno.symlink(elsewhere, join(parent, "tributary-process-link"));
    const before = names(parent);
    await using owner = new Owner(parent);
    const made = basename(await owner.path());
    assert.deepEqual(names(parent), [...before, made].sort());
    assert.deepEqual(names(elsewhere), [lock]);
  }));

Deno.test({
  name: "PrivateDirectory.make() leaves another user's alone",
  ignore: Deno.build.os === "windows" || Deno.uid() !== 0, // only root can make one
  fn: () =>
    inParent(async (parent) => {
      const others = join(parent, "tributary-process-others");
      await Deno.mkdir(others, { mode: 0o700 });
      await Deno.writeTextFile(join(others, ".tributary-lock"), "");
      await Deno.chown(others, 65534, 65534);
      await using owner = new Owner(parent);
      const made = basename(await owner.path());
      assert.deepEqual(names(parent), ["tributary-process-others", made].sort());
    }),
});

Deno.test("PrivateDirectory.make() called by many at once gives each its own", () =>
  inParent(async (parent) => {
    await using stack = new AsyncDisposableStack();
    const owners = Array.from({ length: 4 }, () => stack.use(new Owner(parent)));
    const paths = await Promise.all(owners.map((owner) => owner.path()));
    assert.equal(new Set(paths).size, 4);
    assert.deepEqual(names(parent), paths.map((path) => basename(path)).sort());
  }));
