/** Stock clients over TLS, which trust the authority of `tributary tls init` and no other. */

import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { run as tls } from "../../src/cli/tls.ts";
import { readConfig } from "../../src/config.ts";
import { createToken } from "../../src/contract/token.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { capturedIo } from "../cli/captured_io.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { Chromium } from "./chromium.ts";
import { digits } from "./digits.ts";
import { run } from "./environment.ts";
import { Stranger } from "./stranger.ts";

const WIRES = ["mqtt", "amqp", "grpc", "quic"];

Deno.test("paho-mqtt, pika, grpcio and aioquic train one model over TLS, and openssl verifies each port", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const at = (name: string) => join(folder.path, "tls", name);
  await tls(["init", "--out", join(folder.path, "tls")], capturedIo());
  const stranger = await Stranger.move(folder.path);
  const data = await digits(folder, 2000);
  const log = new Awaitable<LogLine>();
  const server = stack.use(
    await FederationServer.open({
      config: readConfig({
        flags: {
          ...Object.fromEntries([...WIRES, "web"].map((wire) => [`${wire}-port`, "0"])),
          protocols: WIRES.join(","),
          "tls-cert": at("server.pem"),
          "tls-key": at("server-key.pem"),
          "min-clients": String(WIRES.length),
          "rounds": "2",
        },
      }).config,
      events: eventsTo(log),
      metrics: new Metrics(),
    }),
  );
  for (const { wire, url } of [...server.addresses, { wire: "web", url: server.webUrl ?? "" }]) {
    if (wire === "quic") continue; // UDP
    const { host } = new URL(url);
    const alpn = wire === "grpc" ? ["-alpn", "h2"] : [];
    const said = await run("openssl", [
      ...["s_client", "-connect", host, "-CAfile", at("ca.pem"), "-verify_return_error"],
      ...["-verify_ip", "127.0.0.1", ...alpn],
    ]);
    assert.match(said, /Verification: OK|Verify return code: 0/, wire);
    if (wire === "grpc") assert.match(said, /ALPN protocol: h2/);
  }
  const clients = server.addresses.map(({ wire, url }, index) =>
    stack.use(stranger.join({
      wire,
      url,
      id: wire,
      data,
      share: `${index + 1}/${WIRES.length}`,
      out: join(folder.path, `${wire}.safetensors`),
      ca: at("ca.pem"),
    }))
  );
  const outcome = await server.finished;
  assert.deepEqual(await Promise.all(clients.map((client) => client.ended())), [0, 0, 0, 0]);
  assert.deepEqual(outcome.confirmed.toSorted(), WIRES.toSorted());
});

Deno.test("a browser's tab joins with its token from the page at https, by WebSocket over TLS", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const at = (name: string) => join(folder.path, "tls", name);
  await tls(["init", "--out", join(folder.path, "tls")], capturedIo());
  const log = new Awaitable<LogLine>();
  const state = join(folder.path, "state");
  const server = stack.use(
    await FederationServer.open({
      config: readConfig({
        flags: {
          protocols: "quic",
          "quic-port": "0",
          "web-port": "0",
          "tls-cert": at("server.pem"),
          "tls-key": at("server-key.pem"),
          "rounds": "2",
          "tokens": "required",
          "state": state,
        },
      }).config,
      events: eventsTo(log),
      metrics: new Metrics(),
    }),
  );
  // A browser has no flag for an authority; this one trusts the key that the certificate has.
  const { publicKey } = new X509Certificate(await Deno.readTextFile(at("server.pem")));
  const spki = publicKey.export({ type: "spki", format: "der" });
  const hash = createHash("sha256").update(spki).digest("base64");
  const chromium = stack.use(
    await Chromium.open(`--ignore-certificate-errors-spki-list=${hash}`, "--disable-quic"),
  );
  const tab = await chromium.show(`${server.webUrl}join/`);
  const { token } = createToken({
    key: await Deno.readFile(join(state, "token.key")),
    federation: "default",
  }, { clientId: "tab", nowMs: Date.now(), lifetimeMs: undefined });
  await tab.fill("#client", "tab");
  await tab.fill("#token", token);
  await tab.fill("#share", "1");
  await tab.fill("#shares", "20");
  await tab.click("#join");
  const { confirmed } = await server.finished;
  assert.deepEqual(confirmed, ["tab"]);
});
