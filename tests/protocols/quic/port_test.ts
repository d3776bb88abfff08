import assert from "node:assert/strict";
import { Bench } from "./bench.ts";

Deno.test("QuicServer gives its port back at once, again and again", async () => {
  let port = 0;
  for (let start = 0; start < 3; start++) {
    await using bench = await Bench.open({ port });
    const bound = Number(new URL(bench.url).port);
    assert.ok(port === 0 || bound === port);
    port = bound;
  }
  Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port }).close();
});

Deno.test("QuicServer closes twice, and without having listened", async () => {
  await using bench = await Bench.open();
  await bench.server[Symbol.asyncDispose]();
  await bench.server[Symbol.asyncDispose]();
  await bench.server.closed;
});
