/** The README says what is so: settings, dependencies, commands and wires. */

import assert from "node:assert/strict";
import denoJson from "../deno.json" with { type: "json" };
import { runProgram } from "../src/cli/program.ts";
import { verbs } from "../src/cli/verbs.ts";
import { fields } from "../src/config.ts";
import { withReference } from "../src/config/reference.ts";
import { PROTOCOLS } from "../src/protocols/mod.ts";
import { capturedIo } from "./cli/captured_io.ts";

const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));

/** The text under a heading, up to the next one of its level or above. */
function section(heading: string): string {
  const [, marks = "", text = ""] = new RegExp(`^(#+) ${heading}\n([^]*)`, "m").exec(readme) ??
    assert.fail(`no ${heading}`);
  return text.split(new RegExp(`^#{1,${marks.length}} `, "m"), 1)[0] ?? "";
}

/** The first cells of the tables' rows, without the head. */
function firstCells(text: string): string[] {
  return [...text.matchAll(/^\| ([^|]+?) +\|/gm)].map(([, cell = ""]) => cell)
    .filter((cell) => !/^(-+|package|wire|exit code)$/.test(cell));
}

/** `deno task NAME --flags`, in commands and in sentences. */
const tasks = [...readme.matchAll(/\bdeno(?:@2\.9\.6)? task ([a-z:]+)([^`#\n]*)/g)].map((
  [, name = "", rest = ""],
) => ({ name, flags: [...rest.matchAll(/--[a-z-]+/g)].map(([flag]) => flag) }));

/** @param task A verb's, perhaps one of several: `join`, `join:exec`. */
async function help(task: string): Promise<string> {
  const io = capturedIo();
  const [verb = ""] = task.split(":");
  await runProgram([verb, "--help"], io, verbs);
  return io.written("stdout");
}

Deno.test("the README's table of settings is current: `deno task reference` writes it", () => {
  assert.equal(withReference(readme), readme);
});

Deno.test("the README says of every import what it is for, and of nothing else", () => {
  const [used = ""] = section("Dependencies").split("Considered and not used");
  const listed = firstCells(used).map((cell) => cell.replaceAll("`", ""));
  assert.deepEqual(listed, Object.keys(denoJson.imports).sort());
});

Deno.test("every task that the README names exists", () => {
  assert.ok(tasks.length > 10);
  for (const { name } of tasks) assert.ok(name in denoJson.tasks, `deno task ${name}`);
});

Deno.test("every verb of the program has a task of its name, which the README names", () => {
  for (const verb of Object.keys(verbs)) {
    assert.ok(verb in denoJson.tasks, `deno task ${verb}`);
    assert.ok(readme.includes(`task ${verb}`) || readme.includes(`\`${verb}\``), verb);
  }
});

Deno.test("the README's commands have flags that their verbs know", async () => {
  for (const { name, flags } of tasks) {
    for (const flag of flags) {
      assert.ok((await help(name)).includes(` ${flag} `), `task ${name} ${flag}`);
    }
  }
});

Deno.test("every flag in the README's sentences is a setting's or a verb's", async () => {
  const helps = await Promise.all(Object.keys(verbs).map(help));
  const known = new Set([
    ...fields.flatMap(({ flag }) => [`--${flag}`, `--no-${flag}`]),
    ...[...helps.join().matchAll(/--[a-z-]+/g)].map(([flag]) => flag),
    ...["--network", "--build-context", "--read-only", "--tmpfs", "--cap-drop"], // Docker's
    "--ignore-missing", // sha256sum's
  ]);
  for (const [, flag = ""] of readme.matchAll(/[` ](--[a-z][a-z-]+)/g)) {
    assert.ok(known.has(flag), flag);
  }
});

Deno.test("the README's table of wires has every wire, at its default port", () => {
  const wires = section("Wires");
  assert.deepEqual(firstCells(wires), [...PROTOCOLS]);
  for (const wire of PROTOCOLS) {
    const port = fields.find(({ path }) => path.join(".") === `${wire}.port`)?.shape.default;
    assert.match(wires, new RegExp(`\`${wire}://127\\.0\\.0\\.1:${port ?? 7410}/default`));
    assert.match(section("Serve and join"), new RegExp(`join '?${wire}://`));
  }
});

Deno.test("every file that the README links to is there", async () => {
  for (const [, path = ""] of readme.matchAll(/\]\(([^)#]+)\)/g)) {
    await Deno.stat(new URL(`../${path}`, import.meta.url));
  }
});
