import assert from "node:assert/strict";
import { exit } from "../../src/cli/exit.ts";
import { run } from "../../src/cli/status.ts";
import { options } from "../../src/web/options.ts";
import { packageFiles } from "../../src/web/packages.ts";
import { Web } from "../../src/web/web.ts";
import { capturedIo } from "../cli/captured_io.ts";
import { Awaitable } from "../support/awaitable.ts";
import { ca, loopbackTls } from "../support/tls.ts";
import { sampleStatus } from "./sample_status.ts";

type Refusal = { readonly remote: string; readonly reason: string };

class Bench implements AsyncDisposable {
  readonly refusals = new Awaitable<Refusal>();
  readonly #web: Web;
  #url = "";

  constructor(handshakeTimeoutMs = 10_000) {
    const tls = { ...loopbackTls, handshakeTimeoutMs };
    this.#web = new Web({ ...options.parse({ port: 0 }), tls }, {
      status: () => sampleStatus,
      metrics: () => Promise.resolve("metrics\n"),
      refused: (peer) => this.refusals.push(peer),
    });
  }

  async listen(): Promise<string> {
    return this.#url = await this.#web.listen();
  }

  /** Resolves when the listener has closed a connection on which this was said. */
  async say(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const { hostname, port } = new URL(this.#url);
    const conn = await Deno.connect({ hostname, port: Number(port) });
    const { port: own } = conn.localAddr as Deno.NetAddr;
    await conn.write(bytes);
    try {
      for await (const _alert of conn.readable);
    } catch {
      // Reset is an end, too.
    }
    return `127.0.0.1:${own}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#web[Symbol.asyncDispose]();
  }
}

Deno.test("Web with a certificate answers by HTTPS, several times on one connection", async () => {
  await using bench = new Bench();
  const url = await bench.listen();
  assert.match(url, /^https:\/\/127\.0\.0\.1:\d+\/$/);
  using client = Deno.createHttpClient({ caCerts: [ca], poolMaxIdlePerHost: 1 });
  for (
    const [path, text] of [["healthz", "ok\n"], ["readyz", "ready\n"], ["metrics", "metrics\n"]]
  ) {
    const response = await fetch(new URL(path ?? "", url), { client });
    assert.equal(await response.text(), text);
  }
  const status = await fetch(new URL("status", url), { client });
  assert.deepEqual(await status.json(), JSON.parse(JSON.stringify(sampleStatus)));
  assert.equal(bench.refusals.all.length, 0);
});

Deno.test("Web sends one file after the other on one connection", async () => {
  await using bench = new Bench();
  const url = await bench.listen();
  // One connection for all: a second one would hide that the first has no more answers.
  using client = Deno.createHttpClient({ caCerts: [ca], poolMaxIdlePerHost: 1, http2: false });
  const file = packageFiles().get("/join/mnist/train-labels-idx1-ubyte");
  assert.ok(file);
  const { size } = await Deno.stat(file.path);
  for (let turn = 0; turn < 100; turn++) {
    const answer = await fetch(new URL("/join/mnist/train-labels-idx1-ubyte", url), { client });
    assert.equal((await answer.bytes()).length, size);
  }
});

Deno.test("Web refuses plain HTTP on its TLS port once, and serves the others", async () => {
  await using bench = new Bench();
  const url = await bench.listen();
  const remote = await bench.say(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  const refusal = await bench.refusals.find((each) => each.remote === remote);
  assert.match(refusal.reason, /^No TLS: .*InvalidContentType/);
  using client = Deno.createHttpClient({ caCerts: [ca] });
  assert.equal(await (await fetch(new URL("healthz", url), { client })).text(), "ok\n");
  assert.equal(bench.refusals.all.length, 1);
});

Deno.test("Web gives a handshake that is not finished up at its deadline", async () => {
  await using bench = new Bench(150);
  await bench.listen();
  const remote = await bench.say(new Uint8Array([22, 3, 1, 2, 0]));
  const refusal = await bench.refusals.find((each) => each.remote === remote);
  assert.equal(refusal.reason, "No TLS: it was not over within 150 ms");
});

Deno.test("status trusts the authority that --ca or TRIBUTARY_CA names, and says when it must", async () => {
  await using bench = new Bench();
  const url = await bench.listen();
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, ca);
  const format = ["--format", "json"];
  assert.equal(await run([url, "--ca", path, ...format], capturedIo()), exit.ok);
  const environment = { TRIBUTARY_CA: path };
  assert.equal(await run([url, ...format], capturedIo({ environment })), exit.ok);
  await assert.rejects(run([url], capturedIo()), {
    name: "Failure",
    message: `${url}status does not prove to be that server: ` +
      "no authority that is known here vouches for it: name that by --ca",
  });
  await Deno.writeTextFile(path, "hello");
  await assert.rejects(run([url, "--ca", path], capturedIo()), {
    name: "ConfigError",
    message: `--ca names ${path}, which holds no certificate in PEM; name the ca.pem of the server`,
  });
  await Deno.remove(path);
});
