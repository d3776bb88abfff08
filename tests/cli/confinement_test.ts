import assert from "node:assert/strict";
import denoJson from "../../deno.json" with { type: "json" };
import { needsOf } from "../../src/cli/confinement.ts";
import { verbs } from "../../src/cli/verbs.ts";
import { PERMISSIONS } from "../../src/executable/permissions.ts";

Deno.test("needsOf() knows every verb", () => {
  for (const name of Object.keys(verbs)) assert.notDeepEqual(needsOf(name, []), [], name);
});

Deno.test("needsOf() is what deno.json's tasks allow, where verbs have tasks", () => {
  const tasks: Readonly<Record<string, { readonly command: string }>> = denoJson.tasks;
  for (const name of Object.keys(verbs)) {
    const { command = "--allow-all" } = tasks[name] ?? {};
    if (command.includes("--allow-all")) continue;
    const allowed = [...command.matchAll(/--allow-(\w+)/g)].map(([, permission]) => permission);
    assert.deepEqual([...needsOf(name, [])].sort(), allowed.sort(), name);
  }
});

Deno.test("the executable may do whatever a task of deno.json allows its verb", () => {
  const kindsOf = (text: string) =>
    [...text.matchAll(/--allow-sys=(\S+)/g)].flatMap(([, kinds = ""]) => kinds.split(","));
  const embedded = new Set(kindsOf(PERMISSIONS.join(" ")));
  for (const [name, { command }] of Object.entries(denoJson.tasks)) {
    if (!(name in verbs)) continue;
    for (const kind of kindsOf(command)) assert.ok(embedded.has(kind), `${name}: ${kind}`);
  }
});

Deno.test("needsOf() lets join run programs for --exec alone", () => {
  assert.ok(!needsOf("join", ["join", "mqtt://host", "--data", "x.csv"]).includes("run"));
  assert.ok(needsOf("join", ["join", "mqtt://host", "--exec", "python train.py"]).includes("run"));
  assert.ok(needsOf("join", ["join", "mqtt://host", "--exec=python train.py"]).includes("run"));
  assert.ok(!needsOf("serve", ["serve", "--exec"]).includes("run"));
});

Deno.test("a confined verb has given up what it does not need before it is loaded", async () => {
  const module = new URL("../../src/cli/confinement.ts", import.meta.url).href;
  const code = `import { confined } from ${JSON.stringify(module)};
    const load = () => {
      const names = ["net", "read", "write", "env", "ffi", "sys", "run"];
      console.log(names.filter((name) =>
        Deno.permissions.querySync({ name }).state === "granted").join());
    };
    confined({ status: { summary: "", load } }).status.load();
    try { new Deno.Command("/bin/true").outputSync(); } catch (error) { console.log(error.name); }`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-all",
      "--no-config",
      `data:text/javascript,${encodeURIComponent(code)}`,
    ],
    stdin: "null",
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "net,read,env\nNotCapable\n");
});
