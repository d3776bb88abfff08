import assert from "node:assert/strict";
import { join } from "node:path";
import { readTls, withCertificate } from "../../src/server/certificate.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { Metrics } from "../../src/metrics.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { ca, loopbackTls } from "../support/tls.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { smallConfig } from "./small_config.ts";

/** Flags that name the tests' certificate, written into a directory. */
function tlsFlags(directory: string): Record<string, string> {
  const flags = {
    "tls-cert": join(directory, "server.pem"),
    "tls-key": join(directory, "server-key.pem"),
  };
  Deno.writeTextFileSync(flags["tls-cert"], loopbackTls.certificate);
  Deno.writeTextFileSync(flags["tls-key"], loopbackTls.key);
  return flags;
}

Deno.test("readTls() gives nothing without files, and their text with them", async () => {
  using directory = new StateDirectory();
  assert.equal(await readTls(smallConfig(directory.path)), undefined);
  const config = smallConfig(directory.path, {
    ...tlsFlags(directory.path),
    "tls-handshake-timeout-ms": "700",
  });
  const tls = await readTls(config);
  assert.equal(tls?.certificate, loopbackTls.certificate);
  assert.equal(tls?.handshakeTimeoutMs, 700);
});

Deno.test("withCertificate() gives QUIC its own certificate before that of the other wires", async () => {
  using directory = new StateDirectory();
  const config = smallConfig(directory.path, { protocols: "quic" });
  assert.equal(
    (await withCertificate(config, loopbackTls)).quic.certificate,
    loopbackTls.certificate,
  );
  const own = smallConfig(directory.path, {
    protocols: "quic",
    "quic-certificate": tlsFlags(directory.path)["tls-cert"] ?? "",
    "quic-key": tlsFlags(directory.path)["tls-key"] ?? "",
  });
  const other = { certificate: "another", key: "another" };
  assert.equal((await withCertificate(own, other)).quic.certificate, loopbackTls.certificate);
});

Deno.test("a server with a certificate tells addresses of TLS, and shows its key nowhere", async () => {
  using directory = new StateDirectory();
  const config = smallConfig(directory.path, {
    ...tlsFlags(directory.path),
    protocols: "mqtt,amqp,grpc,quic",
    "mqtt-port": "0",
    "amqp-port": "0",
    "quic-port": "0",
    "web-port": "0",
    web: true,
  });
  const log = new Awaitable<LogLine>();
  await using server = await FederationServer.open({
    config,
    events: eventsTo(log),
    metrics: new Metrics(),
  });
  const schemes = server.addresses.map(({ url }) => new URL(url).protocol).toSorted();
  assert.deepEqual(schemes, ["amqps:", "grpcs:", "mqtts:", "quic:"]);
  const secret = loopbackTls.key.split("\n")[1] ?? "";
  using client = Deno.createHttpClient({ caCerts: [ca] });
  for (const path of ["status", "metrics", "join/addresses", ""]) {
    const response = await fetch(new URL(path, server.webUrl), { client });
    assert.equal(response.status, 200, path);
    assert.ok(!(await response.text()).includes(secret));
  }
  assert.ok(!JSON.stringify(log.all).includes(secret));
});

Deno.test("withCertificate() says in one sentence why QUIC's certificate cannot be kept", async () => {
  using directory = new StateDirectory();
  const state = join(directory.path, "file");
  Deno.writeTextFileSync(state, "no directory");
  const config = smallConfig(directory.path, { protocols: "quic", state });
  await assert.rejects(withCertificate(config), (error: Error) => {
    assert.equal(error.name, "ConfigError");
    assert.match(error.message, /^QUIC's certificate cannot be kept as .*quic\.pem: .*; make room/);
    return true;
  });
});
