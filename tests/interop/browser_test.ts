/** The page at /join/ in a real browser, against the real server and beside our own clients. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { createToken } from "../../src/contract/token.ts";
import type { Link, WireName } from "../../src/contract/protocol_server.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { linksOf } from "../../src/server/links.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { Chromium, type Tab } from "./chromium.ts";
import { ClientProcess } from "./client_process.ts";
import { digits } from "./digits.ts";
import { TcpOnly } from "./tcp_only.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;
/** A name for this machine. Pages of it are no secure context: they have no WebTransport. */
const OTHER_NAME = "tributary.test";

/** A server for QUIC and MQTT, and what it logged. */
async function openServer(
  flags: Readonly<Record<string, string>>,
  network?: TcpOnly,
): Promise<{ server: FederationServer; log: Awaitable<LogLine>; page: string }> {
  const ports = { "quic-port": "0", "mqtt-port": "0", "web-port": "0" };
  const { config } = readConfig({ flags: { protocols: "quic,mqtt", ...ports, ...flags } });
  const log = new Awaitable<LogLine>();
  const server = await FederationServer.open({
    config,
    events: eventsTo(log),
    metrics: new Metrics(),
    ...(network === undefined ? {} : {
      wires: (runId: string) =>
        new Map(
          [...linksOf(config, { runId })].map(([wire, make]): [WireName, () => Link] => [
            wire,
            () => network.before(make()),
          ]),
        ),
    }),
  });
  return { server, log, page: `${server.webUrl}join/` };
}

function ownClient(url: string, id: string, { data, out }: { data: string; out: string }) {
  const args = ["join", url, "--once", "--data", data, "--id", id, "--out", out];
  return new ClientProcess(Deno.execPath(), { args: ["run", "--quiet", "-A", MAIN, ...args] });
}

async function joinWithShare(tab: Tab, id: string, share: string): Promise<void> {
  const [index = "", shares = ""] = share.split("/");
  await tab.fill("#client", id);
  await tab.fill("#share", index);
  await tab.fill("#shares", shares);
  await tab.click("#join");
}

Deno.test("two tabs by WebTransport, one by WebSocket and our own clients train one model", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const { server, page } = await openServer({
    "rounds": "5",
    "min-clients": "5",
    "test-data": "mnist:test",
    "quic-origins": "*",
    // Of several parts, more than the window holds.
    "part-bytes": "16384",
    "window-bytes": "65536",
  });
  stack.use(server);
  const chromium = stack.use(
    await Chromium.open(`--host-resolver-rules=MAP ${OTHER_NAME} 127.0.0.1`),
  );
  const elsewhere = new URL(page);
  elsewhere.hostname = OTHER_NAME;
  const tabs = await Promise.all([page, page, elsewhere.href].map((url) => chromium.show(url)));
  await Promise.all(tabs.map((tab, index) => joinWithShare(tab, `tab-${index}`, `${index + 1}/5`)));
  const connections = await Promise.all(tabs.map((tab) => tab.says("#connection", /Web/)));
  assert.deepEqual(connections.slice(0, 2), Array(2).fill("WebTransport (QUIC over UDP)"));
  assert.match(
    connections[2] ?? "",
    /^WebSocket \(TCP\), because WebTransport failed: there is no /,
  );

  const own = server.addresses.map(({ wire, url }, index) => {
    const out = join(folder.path, `${wire}.safetensors`);
    const client = stack.use(ownClient(url, wire, { data: `mnist:share=${index + 4}/5`, out }));
    return { client, out };
  });
  const outcome = await server.finished;
  assert.equal(outcome.confirmed.length, 5);
  for (const { client, out } of own) {
    assert.equal(await client.ended(), 0, client.lines.all.join("\n"));
    const digest = createHash("sha256").update(await Deno.readFile(out)).digest("hex");
    assert.equal(digest, outcome.sha256);
  }
  for (const tab of tabs) {
    assert.match(await tab.says("#summary", /final/), /^The model is final after round 5: /);
    assert.deepEqual([await tab.text("#phase"), await tab.text("#round")], ["Finished", "5 / 5"]);
    assert.equal(await tab.text("#sha256"), outcome.sha256);
    const accuracy = await tab.says("#rounds tr:first-child td:last-child", /\d/);
    assert.ok(Number.parseFloat(accuracy) > 90, accuracy);
    assert.equal(await tab.evaluate("document.querySelectorAll('#rounds tr').length"), 5);
    assert.equal(await tab.text("#rounds tr:first-child td:nth-child(2)"), "accepted");
  }
  assert.deepEqual(chromium.complaints.all, []);
});

Deno.test("where UDP does not pass, a tab joins by WebSocket and says why", async () => {
  await using network = TcpOnly.open();
  await using stack = new AsyncDisposableStack();
  const { server, page } = await openServer({ "protocols": "quic", "rounds": "1" }, network);
  stack.use(server);
  const chromium = stack.use(await Chromium.open());
  const tab = await chromium.show(page);
  await joinWithShare(tab, "tab", "1/20");
  assert.match(
    await tab.says("#connection", /Web/),
    // The browser's own words, or those of our dialler if the browser is more patient.
    /^WebSocket \(TCP\), because WebTransport failed: ./,
  );
  await tab.says("#summary", /final/);
  assert.equal(await tab.text("#sha256"), (await server.finished).sha256);
});

Deno.test("where tokens are required, a tab joins with its own by WebTransport, and is told without one", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const flags = { "protocols": "quic", "rounds": "1", "tokens": "required", "state": folder.path };
  const { server, page } = await openServer(flags);
  stack.use(server);
  const key = await Deno.readFile(join(folder.path, "token.key"));
  const { token } = createToken({ key, federation: "default" }, {
    clientId: "tab",
    nowMs: Date.now(),
    lifetimeMs: undefined,
  });
  const chromium = stack.use(await Chromium.open());
  const tab = await chromium.show(page);
  await joinWithShare(tab, "tab", "1/20");
  assert.match(await tab.says("#summary", /token/), /asks for a token/);
  await tab.fill("#token", token);
  await tab.fill("#client", "another");
  await tab.click("#join");
  assert.match(await tab.says("#summary", /of the client/), /the token is of the client tab; /);
  await tab.fill("#client", "tab");
  await tab.click("#join");
  assert.match(await tab.says("#connection", /Web/), /^WebTransport/);
  await tab.says("#summary", /final/);
  assert.equal(await tab.text("#sha256"), (await server.finished).sha256);
});

Deno.test("a tab trains on files of the user's, says what is wrong with them, and leaves when told to", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const { server, log, page } = await openServer({ "protocols": "quic", "rounds": "1000" });
  stack.use(server);
  const chromium = stack.use(await Chromium.open());
  const tab = await chromium.show(page);
  await tab.click("[value=files]");
  await tab.choose("#files", [await folder.write("a.csv", "x,label\n1,0\n2,cat\n")]);
  await tab.click("#join");
  assert.match(await tab.says("#summary", /line/), /^a\.csv, line 3, column 2 \(label\): .*"cat"/);

  await tab.fill("#options", "classes=0|cat");
  await tab.click("#join");
  assert.match(await tab.says("#summary", /fit/), /1 features a sample, the model takes 784/);

  await tab.fill("#options", "");
  await tab.choose("#files", (await digits(folder, 500)).split(","));
  await tab.click("#join");
  assert.equal(await tab.says("#samples", /\d/), "500");
  assert.match(String(await tab.evaluate("classes.title")), /^Of each class: (\d+, ){9}\d+$/);
  await tab.says("#summary", /^Round 3 of 1000, loss \d\.\d{3}$/);
  await tab.click("#leave");
  assert.equal(
    await tab.says("#summary", /left/),
    "You have left; the server was told",
  );
  await log.find(({ message, fields }) =>
    message === "client left" && fields.reason === "shutting_down"
  );
});
