/** The examples in Go over TLS, by an authority of `tributary tls init`, with tokens of the operator's. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { run as tls } from "../../src/cli/tls.ts";
import { readConfig } from "../../src/config.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { openTokenKey } from "../../src/server/token_key.ts";
import { capturedIo } from "../cli/captured_io.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { tokenFor } from "../support/tokens.ts";
import { CompiledClients, GO } from "./compiled_clients.ts";
import { digits } from "./digits.ts";

const WIRES = ["mqtt", "grpc"] as const;

Deno.test("Go: clients on gRPC and MQTT train over TLS with their tokens; another's token, none, and another authority are refused", async () => {
  const clients = await CompiledClients.built(GO);
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const at = (name: string, set = "tls") => join(folder.path, set, name);
  for (const set of ["tls", "other"]) {
    assert.equal(await tls(["init", "--out", join(folder.path, set)], capturedIo()), 0);
  }
  const state = join(folder.path, "state");
  const rule = { key: await openTokenKey({ state }), federation: "default" };
  const data = await digits(folder, 2000);
  const log = new Awaitable<LogLine>();
  const server = stack.use(
    await FederationServer.open({
      config: readConfig({
        flags: {
          "protocols": WIRES.join(","),
          "mqtt-port": "0",
          "grpc-port": "0",
          "web": false,
          "tls-cert": at("server.pem"),
          "tls-key": at("server-key.pem"),
          "tokens": "required",
          state,
          "min-clients": String(WIRES.length),
          "rounds": "2",
        },
      }).config,
      events: eventsTo(log),
      metrics: new Metrics(),
    }),
  );
  const start = (
    { wire, url }: { wire: string; url: string },
    id: string,
    more: { ca?: string; token?: string },
  ) =>
    stack.use(
      clients.start({
        ...{ wire, url, id, data, share: "1/2" },
        out: join(folder.path, `${id}.safetensors`),
        ca: at("ca.pem"),
        ...more,
      }),
    );
  for (const address of server.addresses) {
    assert.match(address.url, /^(mqtts|grpcs):/);
    const none = start(address, "none", {});
    await none.says("refused: this federation asks for a token");
    assert.equal(await none.ended(), 1);
    const thief = start(address, "thief", { token: tokenFor("somebody", { rule }) });
    await thief.says("refused: the token is of the client somebody");
    assert.equal(await thief.ended(), 1);
    const misled = start(address, "misled", {
      token: tokenFor("misled", { rule }),
      ca: at("ca.pem", "other"),
    });
    assert.match(await misled.says("connection lost"), /certificate/);
    await misled.kill();
  }
  const members = server.addresses.map((address) =>
    start(address, address.wire, { token: tokenFor(address.wire, { rule }) })
  );
  const { confirmed } = await server.finished;
  assert.deepEqual(confirmed.toSorted(), [...WIRES].toSorted());
  assert.deepEqual(await Promise.all(members.map((each) => each.ended())), [0, 0]);
});
