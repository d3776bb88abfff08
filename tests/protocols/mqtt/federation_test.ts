/** MQTT clients that differ in what they speak and how they connect, in one federation. */

import assert from "node:assert/strict";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import { dial } from "../../../src/protocols/mqtt/client.ts";
import { options, permissions } from "../../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../../src/protocols/mqtt/server.ts";
import { type AnySubject, Federation, weights } from "../../support/federation.ts";
import { Member, valuesOf } from "../../support/member.ts";

const mqtt: AnySubject = {
  wire: "mqtt",
  own: (port = 0) => options.parse({ port, websocketPort: 0 }),
  make: (server, own) => new MqttServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/mqtt/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  garbage: () => Promise.resolve(),
};

Deno.test("MQTT 5 and 3.1.1 clients, by TCP and by WebSocket, train one model together", async () => {
  const plan = { minClients: 4, rounds: 2 };
  await using federation = await Federation.open({ subjects: [mqtt], plan });
  await using stack = new AsyncDisposableStack();
  const urls = ["mqtt", "mqtt+ws"].flatMap((scheme) => {
    const url = federation.url("mqtt", scheme);
    return [`${url}?v=4`, `${url}?v=5`];
  });
  const members = await Promise.all(urls.map(async (url, index) => {
    const member = stack.use(await Member.connect(dial, url, `client-${index}`));
    await member.hello({ samples: 10 * (index + 1) });
    return member;
  }));
  for (const round of [1, 2]) {
    await Promise.all(members.map(async (member, index) => {
      const update = weights([index * round, round, 0, -index]);
      const samples = 10 * (index + 1);
      const receipt = await member.update(await member.task(round), update, { samples });
      assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
    }));
    await federation.logged("round closed", { round, clients: 4 });
  }
  for (const member of members) {
    // Samples 10, 20, 30, 40 weigh the values 0, 1, 2, 3: 200 / 100.
    assert.deepEqual(valuesOf(await member.model(2)), [4, 2, 0, -2]);
    assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
  }
  assert.equal((await federation.coordinator.finished).confirmed.length, 4);
});

Deno.test("an MQTT client that comes back by WebSocket, in MQTT 5, goes on where it was by TCP in 3.1.1", async () => {
  await using federation = await Federation.open({ subjects: [mqtt] });
  await using old = await Member.connect(dial, `${federation.url()}?v=4`, "client-1");
  await old.hello();
  const task = await old.task(1);
  const update = weights([1, 2, 3, 4]);
  assert.equal((await old.part(task, update, { to: 60 })).nextOffset, 60n);
  const url = federation.url("mqtt", "mqtt+ws");
  await using member = await Member.connect(dial, url, "client-1");
  await member.hello({ session: old.session });
  await old.peer.connection.lost;
  const rest = await member.part(task, update, { from: 60 });
  assert.equal(rest.verdict, Verdict.ACCEPTED, rest.detail);
  assert.deepEqual(valuesOf(await member.model(1)), [1, 2, 3, 4]);
});
