import assert from "node:assert/strict";
import { join } from "node:path";
import { exit } from "../../src/cli/exit.ts";
import { run } from "../../src/cli/init.ts";
import { settingsFile } from "../../src/init/settings_file.ts";
import { unit } from "../../src/init/unit.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { capturedIo } from "./captured_io.ts";

const executable = "/usr/local/bin/tributary";

async function init(...args: string[]): Promise<string> {
  const io = capturedIo();
  assert.equal(await run(args, io), exit.ok);
  assert.equal(io.written("stderr"), "");
  return io.written("stdout");
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

Deno.test("init writes the settings file, for its user alone, and says how to serve with it", async () => {
  using directory = new StateDirectory();
  const dir = join(directory.path, "new");
  const told = await init("--dir", dir);
  const path = join(dir, "tributary.toml");
  assert.deepEqual(namesIn(dir), ["tributary.toml"]);
  assert.equal(await Deno.readTextFile(path), settingsFile());
  if (Deno.build.os !== "windows") assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  assert.match(told, /tributary serve --config .*tributary\.toml\n/);
});

Deno.test("init --systemd also writes a server's unit, --systemd join an edge node's alone", async () => {
  using directory = new StateDirectory();
  for (const args of [["--systemd"], ["--systemd", "serve"]]) {
    const dir = join(directory.path, String(args.length));
    assert.match(await init("--dir", dir, ...args), /enable --now tributary\.service/);
    assert.deepEqual(namesIn(dir), ["tributary.service", "tributary.toml"]);
    const text = await Deno.readTextFile(join(dir, "tributary.service"));
    assert.equal(text, unit("serve", { executable }));
  }
  const dir = join(directory.path, "edge");
  await init("--dir", dir, "--systemd", "join", "--executable", "/opt/tributary");
  assert.deepEqual(namesIn(dir), ["tributary-join.service"]);
  const text = await Deno.readTextFile(join(dir, "tributary-join.service"));
  assert.equal(text, unit("join", { executable: "/opt/tributary" }));
});

Deno.test("init overwrites nothing, and writes nothing where one of its files is there", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "tributary.service");
  await Deno.writeTextFile(path, "mine");
  await assert.rejects(run(["--dir", directory.path, "--systemd"], capturedIo()), {
    name: "OperatorError",
    message: `${path} is there already and is not overwritten; use it, name another folder by ` +
      "--dir, or replace it by --force",
  });
  assert.deepEqual(namesIn(directory.path), ["tributary.service"]);
  assert.equal(await Deno.readTextFile(path), "mine");
});

Deno.test("init --force replaces what is there, and leaves nothing else", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "tributary.toml");
  await Deno.writeTextFile(path, "mine");
  await init("--dir", directory.path, "--force");
  assert.equal(await Deno.readTextFile(path), settingsFile());
  assert.deepEqual(namesIn(directory.path), ["tributary.toml"]);
});

Deno.test("init --force that cannot replace a file says so and leaves the folder as it was", async () => {
  using directory = new StateDirectory();
  const path = join(directory.path, "tributary.toml");
  await Deno.mkdir(path);
  await assert.rejects(run(["--dir", directory.path, "--force"], capturedIo()), {
    name: "OperatorError",
    message: /^Cannot write .*tributary\.toml: .*; name a folder by --dir$/,
  });
  assert.deepEqual(namesIn(directory.path), ["tributary.toml"]);
});

for (
  const [what, args, sentence] of [
    ["another role", ["--systemd", "demo"], /^--systemd is "demo", but must be serve or join$/],
    ["an argument", ["here"], /^Too many arguments/],
    [
      "an executable that systemd cannot start",
      ["--systemd", "--executable", "./tributary"],
      /^--executable is ".\/tributary", but must be an absolute path without blanks/,
    ],
    ["a file as a folder", ["--dir", import.meta.filename ?? ""], /^Cannot look at .*init_test/],
  ] as const
) {
  Deno.test(`init refuses ${what}`, async () => {
    await assert.rejects(run(args, capturedIo()), { name: "OperatorError", message: sentence });
  });
}
