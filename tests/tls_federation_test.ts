/** Five wires in one federation, with TLS on each that has it. */

import assert from "node:assert/strict";
import { Verdict } from "../src/contract/federation_pb.ts";
import { PROTOCOLS } from "../src/protocols/mod.ts";
import { Federation, weights } from "./support/federation.ts";
import { valuesOf } from "./support/member.ts";
import { wireOverTls } from "./support/wires.ts";

Deno.test("five clients train one model together, four of them over TLS", async () => {
  await using federation = await Federation.open({
    subjects: PROTOCOLS.map(wireOverTls),
    plan: { minClients: 5, rounds: 2 },
  });
  assert.deepEqual(
    PROTOCOLS.map((name) => new URL(federation.url(name)).protocol),
    ["mqtts:", "amqps:", "grpcs:", "quic:", "dds:"],
  );
  // The certificate is an authority's: there is no hash to trust it by.
  assert.equal(new URL(federation.url("quic")).search, "");
  await using stack = new AsyncDisposableStack();
  const members = await Promise.all(
    PROTOCOLS.map(async (name) =>
      stack.use(await federation.join(`client-${name}`, { wire: name }))
    ),
  );
  for (let round = 1; round <= 2; round++) {
    await Promise.all(members.map(async (member, index) => {
      const task = await member.task(round);
      const before = valuesOf(await member.model(round - 1));
      const update = weights(before.map((value) => value + index));
      const receipt = await member.update(task, update, { partBytes: 50 });
      assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
    }));
  }
  // Each round adds the mean of 0 to 4.
  for (const member of members) {
    assert.deepEqual(valuesOf(await member.model(2)), [4, 4, 4, 4]);
    assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
  }
  assert.equal((await federation.coordinator.finished).confirmed.length, 5);
});

Deno.test("a client that registered on gRPC over TLS goes on over MQTT and QUIC", async () => {
  await using federation = await Federation.open({
    subjects: PROTOCOLS.map(wireOverTls),
    plan: { minClients: 1, rounds: 2 },
  });
  await using grpc = await federation.join("client-1", { wire: "grpc" });
  const task = await grpc.task(1);
  const update = weights([1, 2, 3, 4]);
  await using quic = await federation.dial("client-1", "quic");
  quic.session = (await quic.hello({ session: grpc.session, attach: true })).session;
  await using mqtt = await federation.dial("client-1", "mqtt");
  await mqtt.hello({ session: grpc.session, attach: true });
  assert.equal((await grpc.part(task, update, { to: 60 })).nextOffset, 60n);
  const rest = await quic.part(task, update, { from: 60 });
  assert.equal(rest.verdict, Verdict.ACCEPTED, rest.detail);
  assert.deepEqual(valuesOf(await mqtt.model(1)), [1, 2, 3, 4]);
});
