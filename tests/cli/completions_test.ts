/** Completions as the shells themselves do them, with the script that the program prints. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../../src/cli/completions.ts";
import { exit, OperatorError } from "../../src/cli/exit.ts";
import { verbs } from "../../src/cli/verbs.ts";
import { fields } from "../../src/config.ts";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { capturedIo } from "./captured_io.ts";
import { isInstalled, shells } from "./shells.ts";

async function scriptFor(shell: string): Promise<string> {
  const io = capturedIo();
  assert.equal(await run([shell], io), exit.ok);
  return io.written("stdout");
}

for (const shell of shells) {
  const missing = !isInstalled(shell.name);
  const claim = `completions ${shell.name}: sourced, it offers verbs, options, choices and folders`;
  Deno.test({
    name: missing ? `${claim} (${shell.name} is not installed here)` : claim,
    ignore: missing,
    fn: async () => {
      using folder = new StateDirectory();
      const script = join(folder.path, "script");
      await Deno.writeTextFile(script, await scriptFor(shell.name));
      await Deno.mkdir(join(folder.path, "kept run"));
      const offers = (line: string) => shell.offers(script, line);

      const words = await offers("tributary ");
      for (const verb of Object.keys(verbs)) assert.ok(words.includes(verb), verb);
      assert.deepEqual(await offers("tributary comp"), ["completions"]);

      const options = await offers("tributary serve --");
      for (const { flag, shape } of fields) {
        const shown = shape.default === true ? `--no-${flag}` : `--${flag}`;
        assert.ok(options.includes(shown), shown);
      }
      assert.deepEqual(await offers("tributary tls init --ho"), ["--host"]);
      assert.deepEqual(await offers("tributary token "), ["create", "revoke", "revoked"]);
      assert.deepEqual(await offers("tributary tls "), ["init"]);

      assert.deepEqual(await offers("tributary runs --format "), ["json", "text"]);
      assert.deepEqual(await offers("tributary join --log-level w"), ["warning"]);
      assert.deepEqual(await offers("tributary demo --protocols "), [...PROTOCOLS].sort());
      assert.deepEqual(await offers("tributary completions "), ["bash", "fish", "zsh"]);

      const found = await offers(`tributary runs --state ${folder.path}/`);
      assert.equal(found.length, 1, found.join());
      assert.match(found[0] ?? "", /kept(\\?) run\/?$/);
    },
  });
}

Deno.test({
  name: "completions bash: a folder whose name is a pattern is offered as it is called",
  ignore: !isInstalled("bash"),
  fn: async () => {
    using folder = new StateDirectory();
    const script = join(folder.path, "script");
    await Deno.writeTextFile(script, await scriptFor("bash"));
    for (const name of ["x[y]", "xy"]) await Deno.mkdir(join(folder.path, name));
    const [bash] = shells;
    assert.deepEqual(
      await bash?.offers(script, `tributary runs --state ${folder.path}/x`),
      [join(folder.path, "x[y]"), join(folder.path, "xy")],
    );
  },
});

Deno.test("completions names the shells that it is for", async () => {
  for (const shell of ["tcsh", "toString", "constructor"]) {
    await assert.rejects(run([shell], capturedIo()), (error) => {
      assert.ok(error instanceof OperatorError);
      assert.match(error.message, new RegExp(`"${shell}".*bash, zsh, fish`));
      return true;
    });
  }
});
