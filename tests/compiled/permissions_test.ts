/**
 * What a Worker may do in an executable. The product has no way to run code of a test's, so a program
 * that probes is made in the same way, with the permissions that the product's Workers get.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { buildExecutable } from "../../src/executable/build.ts";
import { COMPILER, openCompiler } from "../../src/executable/compiler.ts";
import { type Target, TARGETS } from "../../src/executable/target.ts";
import { inDirectory } from "./executable.ts";

const DENIED = [
  "read a file",
  "write a file",
  "open another port",
  "connect",
  "run a program",
  "read the environment",
  "ask for the host's name",
  "ask for more",
];

const OWN_PORT = ["mqtt", "amqp", "grpc", "quic", "web"];

Deno.test("no Worker of an executable may read a file or open another port than its own", () =>
  inDirectory(async (directory) => {
    const output = join(directory, "probe");
    await buildExecutable({
      main: "tests/compiled/probe.ts",
      workers: ["tests/compiled/probe_worker.ts"],
      compiler: await openCompiler(COMPILER),
      target: TARGETS.find((each): each is Target => each === Deno.build.target) ??
        assert.fail(Deno.build.target),
      directory: join(directory, "build"),
      output,
    });
    const file = join(directory, "secret");
    await Deno.writeTextFile(file, "secret");
    const { stdout, stderr } = await new Deno.Command(output, { args: [file], stdin: "null" })
      .output();
    const written = new TextDecoder().decode(stdout);
    assert.notEqual(written, "", new TextDecoder().decode(stderr));
    const { outcomes, backend, text } = JSON.parse(written);
    assert.equal(text, "secret"); // the process itself could read it
    for (const [worker, did] of Object.entries<Record<string, string>>(outcomes)) {
      for (const what of DENIED) {
        assert.equal(did[what], "NotCapable", `${worker}: ${what}`);
      }
      const own = OWN_PORT.includes(worker) ? "done" : "NotCapable";
      assert.equal(did["open its own port"], own, worker);
    }
    assert.equal(Object.keys(outcomes).length, 10);
    assert.equal(backend, "wasm"); // tfjs finds its own files, or it would be slow without a word
  }));
