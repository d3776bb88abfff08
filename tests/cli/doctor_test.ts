/** `doctor` as people use it: a process, its table, its exit code. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/doctor.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { exit } from "../../src/cli/exit.ts";
import { Program, sourcesThrough } from "../support/program.ts";
import {
  behindFirewall,
  canDropOverride,
  canHaveFirewall,
  WITHOUT_OVERRIDE,
} from "../support/surroundings.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { capturedIo } from "./captured_io.ts";

/** Any free ports, so that whatever else runs here is not in the way. */
const FREE = ["mqtt", "amqp", "grpc", "quic", "dds", "web"].flatMap((
  wire,
) => [`--${wire}-port`, "0"]);

interface Report {
  readonly ok: boolean;
  readonly failed: number;
  readonly warnings: number;
  readonly checks: readonly Finding[];
}

/** What a process of the program reports, with its exit code. */
async function reported(
  args: readonly string[],
  through: readonly string[] = [],
): Promise<{ code: number; report: Report }> {
  const all = ["doctor", ...FREE, "--format", "json", ...args];
  await using program = new Program(all, undefined, sourcesThrough(through));
  const { code, stdout, stderr } = await program.ended();
  assert.notEqual(stdout, "", stderr);
  return { code, report: JSON.parse(stdout) };
}

function only(report: Report, check: string): Finding {
  const failed = report.checks.filter(({ state }) => state === "failed");
  assert.deepEqual(failed.map((each) => each.check), [check], JSON.stringify(failed));
  return failed[0] ?? assert.fail();
}

Deno.test("doctor shows a table, and ends with 0 where nothing has failed", async () => {
  const io = capturedIo();
  assert.equal(await run([...FREE, "--protocols", "mqtt,quic", "--no-web"], io), exit.ok);
  const text = io.written("stdout");
  assert.match(text, /^CHECK +STATE +SEEN\nclock +ok +20/);
  assert.match(text, /\nport mqtt +ok +TCP 127\.0\.0\.1:0 takes any free port\n/);
  assert.match(text, /\n\nNothing is in the way of a server\.\n$/);
});

Deno.test("doctor says what to do, and ends with 2 where something has failed", async () => {
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr as Deno.NetAddr;
  const io = capturedIo();
  const wires = ["--protocols", "mqtt", "--no-web", "--mqtt-port", `${port}`];
  // Nobody listens on a port that has only just been free.
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const broker = `amqp://127.0.0.1:${(free.addr as Deno.NetAddr).port}`;
  free.close();
  assert.equal(await run([...wires, "--amqp-broker", broker], io), exit.usage);
  const [, todo = ""] = io.written("stdout").split("\nWhat to do\n");
  assert.match(todo, /^port mqtt +stop what listens there .*--mqtt-port\n/);
  assert.match(todo, /\nbroker amqp@broker +start the broker, or correct --amqp-broker; .*\n$/);
});

Deno.test("doctor has all it needs by the permissions of its task", async () => {
  using directory = new StateDirectory();
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const args = [
    "task",
    "--quiet",
    "doctor",
    ...FREE,
    "--state",
    directory.path,
    "--format",
    "json",
  ];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const report: Report = JSON.parse(new TextDecoder().decode(stdout));
  assert.equal(report.ok, true);
  assert.deepEqual(directory.files(), []);
});

Deno.test({
  name: "doctor finds a state directory that its user may not write to",
  ignore: !canDropOverride, // needs root, and setpriv to be less than root
  fn: async () => {
    using directory = new StateDirectory();
    Deno.chmodSync(directory.path, 0o500);
    const { code, report } = await reported(["--state", directory.path], WITHOUT_OVERRIDE);
    Deno.chmodSync(directory.path, 0o700);
    assert.equal(code, 2);
    assert.match(only(report, "disk").seen, /cannot be written: Permission denied$/);
    assert.match(only(report, "disk").todo, /let this user write there/);
  },
});

Deno.test({
  name: "doctor finds a firewall that lets no UDP through",
  ignore: !canHaveFirewall, // needs root, unshare, ip and iptables
  fn: async () => {
    const args = ["--protocols", "quic", "--quic-port", "4433"];
    const { code, report } = await reported(args, behindFirewall(4433));
    assert.equal(code, 2);
    const { seen, todo } = only(report, "port quic");
    assert.match(seen, /is free, but a packet sent to it at 127\.0\.0\.1 does not arrive$/);
    assert.match(todo, /firewall/);
  },
});

Deno.test("doctor refuses settings that no server would start with, like serve", async () => {
  const io = capturedIo();
  await assert.rejects(run(["--rounds", "0"], io), /--rounds is 0, but must be/);
  assert.equal(await run(["--print-config"], io), exit.ok);
  assert.match(io.written("stdout"), /^name = "default"/);
});
