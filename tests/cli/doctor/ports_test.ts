import assert from "node:assert/strict";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import { listenersOf } from "../../../src/cli/doctor/listeners.ts";
import { checkPort } from "../../../src/cli/doctor/ports.ts";
import { UdpSocket } from "../../../src/cli/doctor/udp_socket.ts";
import { readConfig } from "../../../src/config.ts";

/** What is found of the listeners of these flags, by check. */
async function found(flags: Readonly<Record<string, string | boolean>>) {
  const { config } = readConfig({ flags: { web: false, ...flags } });
  const findings: Record<string, Finding> = {};
  for (const listener of listenersOf(config)) {
    const finding = await checkPort(listener);
    findings[finding.check] = finding;
  }
  return findings;
}

Deno.test("listenersOf() has every socket that a server of all wires opens", () => {
  const { config } = readConfig({ flags: { "mqtt-websocket-port": "8083" } });
  const sockets = listenersOf(config).map(({ name, transport, port }) =>
    `${name} ${transport} ${port}`
  );
  assert.deepEqual(sockets, [
    "mqtt tcp 1883",
    "mqtt websocket tcp 8083",
    "amqp tcp 5672",
    "grpc tcp 50051",
    "quic udp 4433",
    "quic websocket tcp 4433",
    "dds discovery udp 7410",
    "dds samples udp 7411",
    "web tcp 8080",
  ]);
});

Deno.test("checkPort() finds free ports of any number, and packets arriving at them", async () => {
  const findings = await found({
    protocols: "mqtt,quic",
    "mqtt-port": "0",
    "quic-port": "0",
    "quic-hostname": "0.0.0.0",
    insecure: true,
  });
  const states = Object.values(findings).map(({ state }) => state);
  assert.deepEqual(states, ["ok", "ok", "ok"], JSON.stringify(findings));
  assert.match(findings["port quic"]?.seen ?? "", /packets to .*127\.0\.0\.1.* arrive/);
});

Deno.test("checkPort() finds a TCP port that is in use, and names its flag", async () => {
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr as Deno.NetAddr;
  const finding = (await found({ protocols: "grpc", "grpc-port": `${port}` }))["port grpc"];
  assert.equal(finding?.state, "failed");
  assert.equal(finding?.seen, `TCP 127.0.0.1:${port}: it is in use`);
  assert.match(finding?.todo ?? "", /stop what listens there .* by --grpc-port$/);
});

Deno.test("checkPort() finds a UDP port that is in use", async () => {
  const other = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr as Deno.NetAddr;
  const flags = { protocols: "quic", "quic-port": `${port}`, "quic-websocket": false };
  const finding = (await found(flags))["port quic"];
  other.close();
  assert.equal(finding?.state, "failed");
  assert.match(finding?.seen ?? "", /^UDP 127\.0\.0\.1:\d+: it is in use$/);
  assert.match(finding?.todo ?? "", /--quic-port$/);
});

Deno.test("checkPort() finds an address that is not this machine's, and lists those that are", async () => {
  const flags = { protocols: "mqtt", "mqtt-hostname": "203.0.113.7", insecure: true };
  const finding = (await found(flags))["port mqtt"];
  assert.match(finding?.seen ?? "", /203\.0\.113\.7:1883: this machine has no such address$/);
  assert.match(finding?.todo ?? "", /^set --mqtt-hostname to an .*127\.0\.0\.1/);
});

Deno.test("UdpSocket.isReached() is false for a packet that goes elsewhere, and leaves nothing open", async () => {
  using socket = UdpSocket.bind("127.0.0.1", 0);
  const enough = new AbortController();
  // Nobody listens there: the packet never comes, however long one waits.
  const reached = socket.isReached("127.0.0.2", enough.signal);
  enough.abort();
  assert.equal(await reached, false);
});
