import assert from "node:assert/strict";
import { ClientProcess, type Line } from "../../src/demo/client_process.ts";

const NOWHERE = "mqtt://127.0.0.1:1/default";

Deno.test("ClientProcess.ended() gives the exit code, and what the process said last", async () => {
  await using client = new ClientProcess({ wire: "mqtt", args: ["bench", "--bytes", "10"] });
  const { code, newest } = await client.ended();
  assert.equal(code, 2);
  assert.match(newest.join("\n"), /^error: --bytes is "10"/);
});

Deno.test("ClientProcess hears each line of the process's log, and stops it on disposal", async () => {
  const data = await Deno.makeTempFile({ suffix: ".csv" });
  await Deno.writeTextFile(data, "x,label\n0,0\n1,1\n");
  const lines: Line[] = [];
  const unreached = Promise.withResolvers<Line>();
  const client = new ClientProcess({
    wire: "mqtt",
    args: ["join", NOWHERE, "--data", data, "--id", "me", "--log-format", "json"],
    hear: (line) => {
      lines.push(line);
      if (line.message === "server not reached") unreached.resolve(line);
    },
  });
  {
    await using _ = client;
    assert.equal((await unreached.promise).url, NOWHERE);
  }
  assert.equal(lines[0]?.message, "joining");
  assert.equal(lines[0]?.client, "me");
  assert.equal((await client.ended()).code, 0);
  await Deno.remove(data);
});

Deno.test("ClientProcess.kill() of a process that has ended does nothing", async () => {
  await using client = new ClientProcess({ wire: "mqtt", args: ["--version"] });
  await client.ended();
  client.kill("SIGKILL");
});
