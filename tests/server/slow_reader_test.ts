/** Clients on every wire that ask and never read, beside clients on every wire that train. */

import assert from "node:assert/strict";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { dialUrl, PROTOCOLS } from "../../src/protocols/mod.ts";
import { heartbeat, hello, Peer } from "../support/peer.ts";
import { Siege } from "./siege.ts";

const HEARTBEAT_MS = 10_000;
const ROUND_TIMEOUT_MS = 3 * HEARTBEAT_MS;
/** Each asks for so many Receipts that it does not read. */
const QUESTIONS = 2000;

const SILENT = "silent for 3 heartbeat intervals";

/** What each hears in the end, once it does read. */
const ENDINGS: Readonly<Record<string, string>> = {
  mqtt: `${SILENT} (0x98)`,
  amqp: 'Connection closed: 320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - ' +
    `${SILENT}"`,
  grpc: "The server ended the session",
  quic: SILENT,
  dds: "the server ended the connection, was restarted or is lost",
};

Deno.test("clients that never read hold up nobody, are told so by each protocol, and the operator reads of each once", async () => {
  const clients = 2 * PROTOCOLS.length;
  await using siege = await Siege.open({
    "min-clients": String(clients),
    "heartbeat-interval-ms": String(HEARTBEAT_MS),
    "round-timeout-ms": String(ROUND_TIMEOUT_MS),
  });
  await using stack = new AsyncDisposableStack();
  const slow = await Promise.all(PROTOCOLS.map(async (wire) => {
    const peer = stack.use(
      await Peer.dial(dialUrl, siege.url(wire), `slow-${wire}`, { reading: false }),
    );
    await peer.send(hello());
    return { wire, peer };
  }));
  await siege.logged("client joined", slow.length);
  // Where a wire takes no more from whoever reads nothing, these wait, and fail with its connection.
  const asked = Promise.allSettled(slow.map(async ({ peer }) => {
    for (let question = 0; question < QUESTIONS; question++) await peer.send(heartbeat());
  }));
  const members = await siege.join(stack);
  await siege.train(members);
  // The slow ones have a task, and a connection that stands: they are waited for, as long as agreed.
  for (let passed = 0; passed <= ROUND_TIMEOUT_MS; passed += HEARTBEAT_MS) {
    for (const member of members) {
      assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    }
    siege.clock.pass(HEARTBEAT_MS);
  }
  await siege.logged("round closed", 1, { cause: "deadline" });
  await siege.logged("client left", slow.length, { reason: "silent" });
  await siege.finish(members, []);
  const left = siege.lines("client left").filter(({ fields }) => fields.reason === "silent");
  assert.deepEqual(
    left.map(({ fields }) => fields.client).sort(),
    slow.map(({ peer }) => peer.clientId).sort(),
  );
  for (const { wire, peer } of slow) {
    peer.read();
    assert.equal(await peer.connection.lost, ENDINGS[wire]);
  }
  await asked;
});
