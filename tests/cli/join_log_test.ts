import assert from "node:assert/strict";
import { Program } from "../support/program.ts";

const offWindows = { ignore: Deno.build.os === "windows" }; // --exec needs a POSIX shell

Deno.test("join writes no password of a broker's into its log", offWindows, async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close(); // nobody answers there
  const at = `127.0.0.1:${listener.addr.port}/default`;
  const urls = [`mqtt://ann:secret@${at}`, `amqp://ann:secret@${at}`];
  await using client = new Program(["join", ...urls, "--exec", "true", "--samples", "1"]);
  await client.logs(new RegExp(`server not reached .*url=mqtt://${at}`));
  await client.logs(new RegExp(`server not reached .*url=amqp://${at}`));
  client.kill("SIGTERM");
  const { code, stdout, stderr } = await client.ended();
  assert.equal(code, 0);
  assert.doesNotMatch(stdout + stderr, /secret/);
});

for (
  const url of ["mqtt://ann:secret@host/a/b", "amqp://ann:secret@host", "nix://ann:secret@host"]
) {
  Deno.test(`join shows no password in an address that it cannot read, as ${url}`, async () => {
    await using client = new Program(["join", url, "--data", "mnist:share=1/1000"]);
    const { code, stderr } = await client.ended();
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^error: Cannot (read|dial|join) /m);
    assert.doesNotMatch(stderr, /secret/);
  });
}
