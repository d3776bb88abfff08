/** The demo from the executable alone: an empty directory, no environment, a user without privileges. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { inDirectory, NOBODY, stage } from "./executable.ts";
import { CALLS, destinations } from "./strace.ts";

interface Result {
  readonly test_accuracy: number;
  readonly model_sha256: string;
  readonly client_sha256: Readonly<Record<string, string>>;
  readonly missing: Readonly<Record<string, string>>;
}

/** Only root can become somebody else. */
const user = Deno.uid() === 0 ? NOBODY : undefined;

/** Entries of a directory that are the demo's user's. */
function own(directory: string): string[] {
  const uid = user ?? Deno.uid();
  return [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => {
    try {
      return Deno.lstatSync(join(directory, name)).uid === uid;
    } catch {
      return false; // another program's, gone meanwhile
    }
  }).sort();
}

Deno.test("demo trains on every wire its Deno can serve, speaks to this machine only, and leaves nothing", () =>
  inDirectory(async (root) => {
    const { executable, empty } = await stage(root, user);
    const trace = join(empty, "trace");
    const before = own("/tmp").filter((name) => name.startsWith("tributary-"));
    const { code, stdout, stderr } = await new Deno.Command("strace", {
      args: [
        ...["--seccomp-bpf", "-f", "-qq", "-e", `trace=${CALLS}`],
        ...["-o", trace],
        ...["env", "-i", executable, "demo", "--format", "json", "--out", "demo"],
      ],
      ...(user === undefined ? {} : { uid: user, gid: user }),
      cwd: empty,
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin" },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.equal(code, 0, text + new TextDecoder().decode(stderr));
    const result: Result = JSON.parse(text.trim().split("\n").at(-1) ?? "");
    assert.ok(result.test_accuracy >= 0.95, text);
    const wires = Object.keys(result.client_sha256);
    assert.deepEqual([...wires, ...Object.keys(result.missing)].sort(), [...PROTOCOLS].sort());
    // Of all wires only gRPC may be missing, where the Deno inside has no HTTP/2 server.
    for (const [wire, reason] of Object.entries(result.missing)) {
      assert.equal(wire, "grpc");
      assert.match(reason, /^gRPC needs a Deno whose node:http2 works[^\n]*$/);
    }
    for (const sha256 of Object.values(result.client_sha256)) {
      assert.equal(sha256, result.model_sha256);
    }
    const reached = destinations(await Deno.readTextFile(trace));
    assert.ok(reached.has("127.0.0.1"), "the trace has nothing of the wires");
    assert.deepEqual([...reached].filter((each) => !/^(127\.|::1$|unix$|netlink$)/.test(each)), []);
    assert.deepEqual(own("/tmp").filter((name) => name.startsWith("tributary-")), before);
    assert.deepEqual([...Deno.readDirSync(empty)].map(({ name }) => name).sort(), [
      "demo",
      "trace",
    ]);
  }));
