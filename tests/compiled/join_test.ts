/** The client from the executable, as an edge node that keeps its state. */

import assert from "node:assert/strict";
import { inDirectory, run } from "./executable.ts";

const SERVER = ["serve", "--protocols", "mqtt", "--mqtt-port", "0", "--no-web", "--state", "run"];

Deno.test("join --state keeps its directory to itself, and is the same client after a kill -9", () =>
  inDirectory(async (directory) => {
    await using server = run([...SERVER, "--min-clients", "2"], { directory });
    const url = await server.says(/'(mqtt:[^']+)'/);
    const join = () =>
      run(["join", url, "--data", "mnist:share=1/1000", "--state", "node"], { directory });
    await using killed = join();
    await killed.logs(/ welcomed /);
    await using another = join();
    const { code, stderr } = await another.ended();
    assert.equal(code, 2);
    assert.match(stderr, /^error: --state: node is in use by another client; .*$/);
    killed.kill("SIGKILL");
    await killed.ended();
    await using again = join();
    await again.logs(/ welcomed /);
    const clientOf = (lines: readonly string[]) => /client=(\S+)/.exec(lines.join("\n"))?.[1];
    assert.ok(clientOf(killed.stderr.all));
    assert.equal(clientOf(again.stderr.all), clientOf(killed.stderr.all));
    for (const program of [again, server]) {
      program.kill("SIGTERM");
      assert.equal((await program.ended()).code, 0);
    }
  }));
