/** The client from the executable, as an edge node that keeps its state. */

import assert from "node:assert/strict";
import { ANY_PORTS, inDirectory, run } from "./executable.ts";

const SERVER = ["serve", "--protocols", "mqtt", "--mqtt-port", "0", "--no-web", "--state", "run"];

Deno.test("join by gRPC alone waits for no server where its Deno cannot speak gRPC", () =>
  inDirectory(async (directory) => {
    await using server = run(["serve", ...ANY_PORTS, "--no-web"], { directory });
    await server.says(/'mqtt:[^']+'/);
    server.kill("SIGTERM");
    const served = !/wire=grpc .*node:http2/.test((await server.ended()).stderr);
    await using client = run(
      ["join", "grpc://127.0.0.1:1/default", "--data", "mnist:share=1/1000"],
      { directory },
    );
    if (served) await client.logs(/server not reached/);
    else {
      const { code, stderr } = await client.ended();
      assert.equal(code, 2);
      assert.match(stderr, /^error: gRPC needs a Deno .*; name an address of another wire/);
    }
  }));

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
