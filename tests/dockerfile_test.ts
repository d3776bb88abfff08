/** The Dockerfile says what the program does: its ports, its health check, its user. */

import assert from "node:assert/strict";
import { exit } from "../src/cli/exit.ts";
import { runProgram } from "../src/cli/program.ts";
import { verbs } from "../src/cli/verbs.ts";
import { fields } from "../src/config.ts";
import { PROTOCOLS } from "../src/protocols/mod.ts";
import { capturedIo } from "./cli/captured_io.ts";

const dockerfile = await Deno.readTextFile(new URL("../Dockerfile", import.meta.url));
const stages = dockerfile.split(/^(?=FROM )/m);
const last = (stages.at(-1) ?? "").replaceAll("\\\n", "");

function instruction(name: string): string {
  return new RegExp(`^${name} +(.+)$`, "m").exec(last)?.[1] ?? assert.fail(`no ${name}`);
}

/** The words of an instruction in exec form. */
function words(text: string): string[] {
  return JSON.parse(text.slice(text.indexOf("[")));
}

function portOf(section: string): number {
  const port = fields.find(({ path }) => path.join(".") === `${section}.port`)?.shape.default;
  return Number(port ?? 7410); // DDS's follows from its domain, 0
}

Deno.test("the Dockerfile's image begins empty and runs as a user by number", () => {
  assert.match(last, /^FROM scratch\n/);
  const [user = "", group = ""] = instruction("USER").split(":");
  assert.ok(Number(user) >= 1000 && Number(group) >= 1000);
  assert.ok(last.includes(`--chown=${user}:${group} /data ${instruction("VOLUME")}\n`));
});

Deno.test("the Dockerfile exposes the default port of every wire and of the status page", () => {
  const exposed = instruction("EXPOSE").split(" ");
  const expected = [...PROTOCOLS, "web"].flatMap((section) => {
    const port = portOf(section);
    if (section === "quic") return [`${port}/udp`, `${port}/tcp`]; // its WebSocket
    if (section === "dds") return [`${port}/udp`, `${port + 1}/udp`]; // discovery, samples
    return [`${port}/tcp`];
  });
  assert.deepEqual(exposed.sort(), expected.sort());
});

for (const name of ["HEALTHCHECK", "CMD"]) {
  Deno.test(`the Dockerfile's ${name} is a verb with flags that it knows, in exec form`, async () => {
    const [executable = ""] = words(instruction("ENTRYPOINT"));
    const [verb = "", ...args] = words(instruction(name)).filter((word) => word !== executable);
    const io = capturedIo();
    assert.equal(await runProgram([verb, "--help"], io, verbs), exit.ok);
    const flags = args.filter((word) => word.startsWith("-"));
    assert.ok(flags.length > 0);
    for (const flag of flags) assert.ok(io.written("stdout").includes(` ${flag} `), flag);
  });
}

Deno.test("the Dockerfile compiles with the Deno that everything else is run with", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const [, version = ""] = /npx -y deno@([\d.]+)/.exec(readme) ?? [];
  assert.ok(dockerfile.includes(`FROM denoland/deno:debian-${version} `), version);
});
