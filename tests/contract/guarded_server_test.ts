import assert from "node:assert/strict";
import { clientMessage } from "../../src/contract/codec.ts";
import { GuardedServer } from "../../src/contract/guarded_server.ts";
import type { Upcalls, WireEvent } from "../../src/contract/protocol_server.ts";
import { RULE } from "../support/tokens.ts";
import { SmallServer } from "./small_server.ts";

/** A guarded server, what the operator hears of it, and how to say Hello to it without a token. */
async function listening() {
  const small = new SmallServer({});
  const inner = Promise.withResolvers<Upcalls>();
  const listen = small.listen.bind(small);
  small.listen = (upcalls) => {
    inner.resolve(upcalls);
    return listen(upcalls);
  };
  const guarded = new GuardedServer(small, {
    rule: RULE,
    sealedOnly: false,
    maxConnections: 2,
    proofTimeoutMs: 1000,
  });
  const refused: string[] = [];
  await guarded.listen({
    deliver: () => Promise.resolve(undefined),
    observe: (event: WireEvent) => event.kind === "refused" && refused.push(event.remote),
  });
  const server = await inner.promise;
  const say = (id: number) => {
    const message = clientMessage({
      clientId: `client-${id}`,
      body: { case: "hello", value: { contractVersion: 1, nonce: new Uint8Array(16), samples: 1 } },
    });
    return server.deliver({ kind: "message", route: { wire: "small", id }, message });
  };
  return { guarded, server, refused, say };
}

Deno.test("GuardedServer tells of each route's refusals once, and again of a route that came anew", async () => {
  const { guarded, server, refused, say } = await listening();
  await using _ = guarded;
  for (const id of [1, 1, 2, 1]) await say(id);
  assert.deepEqual(refused, ["client-1", "client-2"]);
  const route = { wire: "small", id: 1 };
  await server.deliver({ kind: "detached", route, reason: "gone" });
  await say(1);
  assert.deepEqual(refused, ["client-1", "client-2", "client-1"]);
});

Deno.test("GuardedServer remembers the newest refusals only, whatever routes there are and were", async () => {
  const { guarded, refused, say } = await listening();
  await using _ = guarded;
  for (let id = 1; id <= 10_001; id++) await say(id);
  assert.equal(refused.length, 10_001);
  await say(10_001);
  assert.equal(refused.length, 10_001);
  await say(1); // forgotten for the last one
  assert.equal(refused.length, 10_002);
});
