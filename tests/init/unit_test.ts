/** The units are what systemd itself takes, and what the program's own verbs take. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { exit } from "../../src/cli/exit.ts";
import { runProgram } from "../../src/cli/program.ts";
import { verbs } from "../../src/cli/verbs.ts";
import { type Role, unit, UNITS } from "../../src/init/unit.ts";
import { capturedIo } from "../cli/captured_io.ts";
import { StateDirectory } from "../vault/state_directory.ts";

const executable = "/usr/local/bin/tributary";

/** What serve takes to stop at most: src/cli/serve.ts. */
const STOP_S = 5;

/** systemd's own scale, 0 to 10; network and machine code cost what remains. */
const MOST_EXPOSURE = 1.5;

/** All values of one setting, lines that end with a backslash joined to the next. */
function values(text: string, name: string): string[] {
  return [...text.replaceAll("\\\n", "").matchAll(new RegExp(`^${name}=(.*)$`, "gm"))]
    .map(([, value = ""]) => value);
}

for (const role of Object.keys(UNITS) as Role[]) {
  const text = unit(role, { executable });

  Deno.test(`the unit of ${role} calls its verb with flags that it knows`, async () => {
    const io = capturedIo();
    assert.equal(await runProgram([role, "--help"], io, verbs), exit.ok);
    const help = io.written("stdout");
    const [command = ""] = values(text, "ExecStart");
    assert.ok(command.startsWith(`${executable} ${role} `), command);
    const flags = [...command.matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
    assert.ok(flags.length >= 2);
    for (const flag of flags) assert.ok(help.includes(` ${flag} `), flag);
  });

  Deno.test(`the unit of ${role} tries again after a failure, but not after a mistake`, () => {
    assert.deepEqual(values(text, "Restart"), ["on-failure"]);
    assert.deepEqual(values(text, "RestartPreventExitStatus"), [String(exit.usage)]);
    assert.deepEqual(values(text, "KillSignal"), ["SIGTERM"]);
    assert.ok(Number(values(text, "TimeoutStopSec")[0]) > STOP_S);
  });

  Deno.test(`the unit of ${role} lets V8 make machine code, and says so`, () => {
    assert.deepEqual(values(text, "MemoryDenyWriteExecute"), []);
    assert.match(text, /^# Not MemoryDenyWriteExecute: V8 /m);
  });

  Deno.test({
    name: `the unit of ${role} is one that systemd takes, and finds hardly exposed`,
    // systemd-analyze is part of systemd, which not every Linux has, and nothing else.
    ignore: !await hasSystemd(),
    fn: async () => {
      using directory = new StateDirectory();
      await Deno.mkdir(directory.path, { recursive: true });
      const path = join(directory.path, UNITS[role]);
      // systemd looks whether the executable is there.
      await Deno.writeTextFile(path, unit(role, { executable: "/bin/true" }));
      assert.equal(await analyze("verify", "--man=no", path), "");
      const report = await analyze("security", "--offline=yes", path);
      const [, exposure = ""] = /Overall exposure level for \S+: ([\d.]+)/.exec(report) ??
        assert.fail(report);
      assert.ok(Number(exposure) <= MOST_EXPOSURE, report);
    },
  });
}

Deno.test("unit refuses paths that systemd would read otherwise", () => {
  for (
    const path of ["tributary", "./tributary", "/a b", "/50%", "/$HOME/tributary", '/"a"', "/"]
  ) {
    assert.throws(() => unit("serve", { executable: path }), { name: "RangeError" }, path);
  }
});

async function hasSystemd(): Promise<boolean> {
  try {
    const { code, stdout } = await systemdAnalyze(["--version"]);
    const [, major = ""] = /^systemd (\d+)/.exec(new TextDecoder().decode(stdout)) ?? [];
    return code === 0 && Number(major) >= 250; // `security --offline` came with it
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What it has to say; it must be content. */
async function analyze(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await systemdAnalyze(args);
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, said);
  return said;
}

function systemdAnalyze(args: string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command("systemd-analyze", { args, stdin: "null", env: { LC_ALL: "C.UTF-8" } })
    .output();
}
