import assert from "node:assert/strict";
import { type Options, options } from "../../src/web/options.ts";
import { WebServer } from "../../src/web/server.ts";
import { Web } from "../../src/web/web.ts";
import { sampleStatus } from "./sample_status.ts";

const METRICS = "# HELP tributary_clients Clients\ntributary_clients 2\n";
const own: Options = options.parse({ port: 0 });

/** The listener, in its Worker as in the product, or in process: nobody can tell which. */
interface Listener extends AsyncDisposable {
  listen(): Promise<string>;
  readonly closed: Promise<void>;
}

const answers = {
  status: () => sampleStatus,
  metrics: () => Promise.resolve(METRICS),
};

const makes: Readonly<Record<string, (own: Options) => Listener>> = {
  "Web in its Worker": (own) => new Web(own, answers),
  "WebServer in process": (own) =>
    new WebServer(own, (topic) =>
      Promise.resolve(
        { status: JSON.stringify(sampleStatus) + "\n", metrics: METRICS, readiness: "" }[topic],
      )),
};

async function get(url: string | URL, init?: RequestInit): Promise<[Response, string]> {
  const response = await fetch(url, init);
  return [response, await response.text()];
}

for (const [name, make] of Object.entries(makes)) {
  Deno.test(`${name} answers each path`, async () => {
    await using web = make(own);
    const url = await web.listen();
    const expected: readonly (readonly [path: string, type: string, text: string])[] = [
      ["status", "application/json", JSON.stringify(sampleStatus) + "\n"],
      ["metrics", "text/plain; version=0.0.4; charset=utf-8", METRICS],
      ["healthz", "text/plain; charset=utf-8", "ok\n"],
      ["readyz", "text/plain; charset=utf-8", "ready\n"],
    ];
    for (const [path, type, text] of expected) {
      const [response, body] = await get(new URL(path, url));
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get("content-type"), type);
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(body, text);
    }
  });

  Deno.test(`${name} serves the page under a policy that names its script and style`, async () => {
    await using web = make(own);
    const [response, html] = await get(await web.listen());
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
    const policy = response.headers.get("content-security-policy") ?? "";
    for (const tag of ["script", "style"]) {
      const inner = new RegExp(`<${tag}>(.*)</${tag}>`, "s").exec(html)?.[1] ?? "";
      const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(inner));
      assert.ok(policy.includes(`${tag}-src 'sha256-${new Uint8Array(hash).toBase64()}'`));
    }
    assert.ok(html.length < 8 * 1024);
  });

  Deno.test(`${name} serves the page at /join/ and all it is made of, under one policy`, async () => {
    await using web = make(own);
    const url = await web.listen();
    const [page, html] = await get(new URL("join", url));
    assert.deepEqual([page.status, page.url], [200, `${url}join/`]);
    assert.match(html, /<script type="module" src="page\.js">/);
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'; .*connect-src 'self' blob:;/);
    for (
      const [path, type] of [
        ["page.css", "text/css; charset=utf-8"],
        ["page.js", "text/javascript; charset=utf-8"],
        ["client.js", "text/javascript; charset=utf-8"],
        ["trainer.js", "text/javascript; charset=utf-8"],
        ["tf.js", "text/javascript; charset=utf-8"],
        ["tfjs-backend-wasm-simd.wasm", "application/wasm"],
        ["mnist/t10k-labels-idx1-ubyte", "application/octet-stream"],
      ] as const
    ) {
      const [response, text] = await get(new URL(`join/${path}`, url));
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get("content-type"), type);
      assert.equal(response.headers.get("content-security-policy"), policy);
      assert.ok(text.length > 1000);
      const etag = response.headers.get("etag") ?? "";
      const [known] = await get(response.url, { headers: { "if-none-match": etag } });
      assert.equal(known.status, 304);
    }
  });

  Deno.test(`${name} says that no browser can join where QUIC is not served`, async () => {
    await using web = make(own);
    const [response, text] = await get(new URL("join/addresses", await web.listen()));
    assert.equal(response.status, 503);
    assert.equal(text, "Browsers join over QUIC or WebSocket, and neither is served now\n");
  });

  Deno.test(`${name} refuses other paths and methods`, async () => {
    await using web = make(own);
    const url = await web.listen();
    const [missing, where] = await get(new URL("constructor", url));
    assert.equal(missing.status, 404);
    assert.equal(
      where,
      "Nothing is at /constructor; there are /, /join/, /status, /metrics, /healthz and /readyz\n",
    );
    const [posted, why] = await get(new URL("status", url), { method: "POST", body: "x" });
    assert.equal(posted.status, 405);
    assert.equal(posted.headers.get("allow"), "GET, HEAD");
    assert.equal(why, "/status takes GET and HEAD, not POST\n");
    const [head, body] = await get(url, { method: "HEAD" });
    assert.deepEqual([head.status, body], [200, ""]);
  });

  Deno.test(`${name} says in one sentence that the port is taken`, async () => {
    await using first = make(own);
    const port = Number(new URL(await first.listen()).port);
    await using second = make({ ...own, port });
    await assert.rejects(second.listen(), {
      name: "ListenError",
      message: `Cannot listen for HTTP on 127.0.0.1:${port}: ` +
        "the address is in use; stop the other program or set --web-port",
    });
  });

  Deno.test(`${name} says in one sentence that the address is not this machine's`, async () => {
    await using web = make({ ...own, hostname: "192.0.2.1" });
    await assert.rejects(web.listen(), {
      name: "ListenError",
      message: "Cannot listen for HTTP on 192.0.2.1:0: " +
        "this machine has no such address; set --web-hostname",
    });
  });

  Deno.test(`${name} is closed by disposal, twice harmless, and its port is free at once`, async () => {
    const web = make(own);
    const url = await web.listen();
    await get(url); // leaves an idle connection behind
    await web[Symbol.asyncDispose]();
    await web[Symbol.asyncDispose]();
    await web.closed;
    await using again = make({ ...own, port: Number(new URL(url).port) });
    assert.equal(await again.listen(), url);
  });

  Deno.test(`${name} can be disposed of before it listens`, async () => {
    await using web = make(own);
    await web[Symbol.asyncDispose]();
    await web.closed;
  });

  Deno.test(`${name} listens on IPv6`, async () => {
    await using web = make({ ...own, hostname: "::1" });
    const url = await web.listen();
    assert.match(url, /^http:\/\/\[::1\]:\d+\/$/);
    assert.equal((await get(url))[0].status, 200);
  });
}

Deno.test("Web answers for a server that cannot: 503 with the reason, health unharmed", async () => {
  await using web = new Web(own, {
    status: () => {
      throw new Error("The coordinator is gone");
    },
    metrics: () => Promise.reject(new Error("The coordinator is gone")),
  });
  const url = await web.listen();
  for (const path of ["status", "metrics", "readyz"]) {
    const [response, text] = await get(new URL(path, url));
    assert.deepEqual([response.status, text], [503, "The coordinator is gone\n"]);
  }
  assert.equal((await get(new URL("healthz", url)))[0].status, 200);
});

Deno.test("Web tells the page at /join/ what to dial, and its browser to let it", async () => {
  const [wire] = sampleStatus.wires;
  assert.ok(wire);
  const quic = { ...wire, wire: "quic", url: "quic://127.0.0.1:4433/default?hash=ab" };
  await using web = new Web(own, {
    ...answers,
    status: () => ({ ...sampleStatus, wires: [quic] }),
  });
  const [response, text] = await get(new URL("join/addresses", await web.listen()));
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.deepEqual(JSON.parse(text), [quic.url, "ws://127.0.0.1:4433/default"]);
  const [page] = await get(new URL("./", response.url));
  assert.match(
    page.headers.get("content-security-policy") ?? "",
    /connect-src 'self' blob: https:\/\/127\.0\.0\.1:4433 ws:\/\/127\.0\.0\.1:4433;/,
  );
});

Deno.test("Web.closed rejects when the Worker dies, and the process lives on", async () => {
  const crash = new URL("./crashing_worker.ts", import.meta.url);
  await using web = new Web(
    own,
    answers,
    (permissions) => new Worker(crash, { type: "module", deno: { permissions } }),
  );
  const died = { message: /^The status page's Worker failed: .*the listener broke/ };
  await assert.rejects(web.listen(), died);
  await assert.rejects(web.closed, died);
});

Deno.test("Web says why the server is not ready", async () => {
  await using web = new Web(own, {
    ...answers,
    status: () => ({ ...sampleStatus, phase: "starting" as const }),
  });
  const [response, text] = await get(new URL("readyz", await web.listen()));
  assert.deepEqual([response.status, text], [503, "Not ready: the server is starting\n"]);
});

Deno.test("WebServer turns away what is more than it answers at once, and answers the others", async () => {
  const answer = Promise.withResolvers<string>();
  await using web = new WebServer(own, () => answer.promise);
  const status = new URL("status", await web.listen());
  const requests = Array.from({ length: 65 }, () => get(status));
  const [refused, text] = await Promise.race(requests); // the only one that is answered yet
  assert.deepEqual(
    [refused.status, refused.headers.get("retry-after"), text],
    [503, "1", "Too many requests at once; try again\n"],
  );
  answer.resolve("{}");
  const codes = (await Promise.all(requests)).map(([response]) => response.status);
  assert.equal(codes.filter((code) => code === 200).length, 64);
});
