import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import type { ModelPart, ServerMessage } from "../../src/contract/federation_pb.ts";
import { PacedServer, type PacingOptions } from "../../src/contract/paced_server.ts";
import type {
  Address,
  ProtocolServer,
  Route,
  SendOutcome,
  Traffic,
} from "../../src/contract/protocol_server.ts";

const route = { wire: "test", id: 1 };
const { signal } = new AbortController();

/** Takes whatever is sent, at once, until told otherwise. */
class OpenWire implements ProtocolServer {
  readonly parts: ModelPart[] = [];
  readonly closed = Promise.withResolvers<void>().promise;
  outcome: SendOutcome = "taken";
  disposed = 0;

  listen(): Promise<readonly Address[]> {
    return Promise.resolve([]);
  }

  send(_route: Route, message: ServerMessage): Promise<SendOutcome> {
    assert.equal(message.runId, "run");
    assert.ok(message.body.case === "modelPart");
    if (this.outcome === "taken") this.parts.push(message.body.value);
    return Promise.resolve(this.outcome);
  }

  drop(): void {}

  traffic(): Promise<Traffic> {
    return Promise.resolve({ up: 0, down: 0, connections: 0 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed++;
    return Promise.resolve();
  }
}

function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff);
}

async function paced(length: number, pacing: Omit<PacingOptions, "runId">) {
  const wire = new OpenWire();
  const server = new PacedServer(wire, { runId: "run", ...pacing });
  await server.hold({ round: 1, bytes: pattern(length).buffer });
  return { wire, server };
}

const lengths = fc.record({
  length: fc.nat({ max: 500 }),
  partBytes: fc.integer({ min: 1, max: 100 }),
  windowBytes: fc.integer({ min: 1, max: 300 }),
  from: fc.nat({ max: 520 }),
  /** What the client acknowledges at each turn: the newest part in order, the same again, or both. */
  acknowledgements: fc.infiniteStream(fc.constantFrom("newest", "repeated", "both", "one part")),
});

Deno.test("at most a window is unacknowledged, whatever is acknowledged when, and all arrives", async () => {
  await fc.assert(
    fc.asyncProperty(
      lengths,
      async ({ length, partBytes, windowBytes, from, acknowledgements }) => {
        const { wire, server } = await paced(length, { partBytes, windowBytes });
        const start = Math.min(from, length);
        const held = pattern(length);
        held.fill(0, start);
        let heldBytes = start;
        let seen = 0;
        let outcome: SendOutcome | undefined;
        void server.download(route, { round: 1, offset: from }, { signal })
          .then((end) => outcome = end);
        for (let turns = 0; outcome === undefined; turns++) {
          assert.ok(turns < 5000, "the download stands still");
          await turn();
          // Whatever is resent begins at what was acknowledged: so the window holds at each instant.
          const allowed = Math.max(windowBytes, partBytes);
          for (const { offset, bytes, totalBytes } of wire.parts.slice(seen)) {
            assert.equal(totalBytes, BigInt(length));
            assert.ok(bytes.length <= partBytes);
            assert.ok(Number(offset) + bytes.length <= heldBytes + allowed, "beyond the window");
          }
          const fresh = wire.parts.slice(seen);
          seen = wire.parts.length;
          const [kind] = acknowledgements.take(1);
          if (kind === "repeated" || kind === "both") {
            server.acknowledge(route, { round: 1, offset: heldBytes });
          }
          if (kind === "repeated" && turns % 3 > 0) continue; // the client took nothing of it
          for (const { offset, bytes } of kind === "one part" ? fresh.slice(0, 1) : fresh) {
            if (Number(offset) !== heldBytes) continue; // it drops what does not follow
            held.set(bytes, heldBytes);
            heldBytes += bytes.length;
          }
          server.acknowledge(route, { round: 1, offset: heldBytes });
        }
        assert.equal(outcome, "taken");
        assert.equal(heldBytes, length);
        assert.deepEqual(held, pattern(length));
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a full window is waited for, and one acknowledged part lets one more go", async () => {
  const { wire, server } = await paced(100, { partBytes: 10, windowBytes: 30 });
  const done = server.download(route, { round: 1, offset: 0 }, { signal });
  await turn();
  assert.deepEqual(wire.parts.map((part) => Number(part.offset)), [0, 10, 20]);
  server.acknowledge(route, { round: 1, offset: 10 });
  await turn();
  assert.deepEqual(wire.parts.map((part) => Number(part.offset)), [0, 10, 20, 30]);
  server.drop(route, "over");
  assert.equal(await done, "stalled");
});

Deno.test("a repeated offset is sent again from there, once the window is full", async () => {
  const { wire, server } = await paced(100, { partBytes: 10, windowBytes: 20 });
  const done = server.download(route, { round: 1, offset: 0 }, { signal });
  await turn();
  server.acknowledge(route, { round: 1, offset: 10 });
  await turn();
  server.acknowledge(route, { round: 1, offset: 10 });
  await turn();
  assert.deepEqual(wire.parts.map((part) => Number(part.offset)), [0, 10, 20, 10, 20]);
  server.acknowledge(route, { round: 1, offset: 100 });
  assert.equal(await done, "taken");
});

Deno.test("an empty model is one empty part, and held once the client says so", async () => {
  const { wire, server } = await paced(0, { partBytes: 10, windowBytes: 20 });
  const done = server.download(route, { round: 1, offset: 0 }, { signal });
  await turn();
  assert.deepEqual(wire.parts.map((part) => part.bytes.length), [0]);
  server.acknowledge(route, { round: 1, offset: 0 });
  assert.equal(await done, "taken");
  assert.equal(wire.parts.length, 1);
});

Deno.test("a model that is held whole already is not sent again", async () => {
  const { wire, server } = await paced(100, { partBytes: 10, windowBytes: 20 });
  assert.equal(await server.download(route, { round: 1, offset: 100 }, { signal }), "taken");
  assert.deepEqual(wire.parts, []);
});

Deno.test("acknowledgements of another round or route, and of less than before, change nothing", async () => {
  const { wire, server } = await paced(100, { partBytes: 10, windowBytes: 20 });
  await server.hold({ round: 2, bytes: pattern(100).buffer });
  const done = server.download(route, { round: 1, offset: 0 }, { signal });
  await turn();
  server.acknowledge(route, { round: 1, offset: 20 });
  await turn();
  const sent = wire.parts.length;
  server.acknowledge(route, { round: 2, offset: 100 });
  server.acknowledge({ wire: "test", id: 2 }, { round: 1, offset: 100 });
  server.acknowledge(route, { round: 1, offset: 5 });
  await turn();
  assert.equal(wire.parts.length, sent);
  server.acknowledge(route, { round: 1, offset: 1000 });
  assert.equal(await done, "taken");
});

Deno.test("a newer download ends an older one of the same route as stalled", async () => {
  const { server } = await paced(100, { partBytes: 10, windowBytes: 20 });
  const older = server.download(route, { round: 1, offset: 0 }, { signal });
  const newer = server.download(route, { round: 1, offset: 0 }, { signal });
  const elsewhere = server.download({ wire: "test", id: 2 }, { round: 1, offset: 0 }, { signal });
  assert.equal(await older, "stalled");
  server.acknowledge(route, { round: 1, offset: 100 });
  assert.equal(await newer, "taken");
  server.acknowledge({ wire: "test", id: 2 }, { round: 1, offset: 100 });
  assert.equal(await elsewhere, "taken");
});

Deno.test("a download ends with its signal, its model, its route and its server", async () => {
  const { wire, server } = await paced(100, { partBytes: 10, windowBytes: 20 });
  const abort = new AbortController();
  const aborted = server.download(route, { round: 1, offset: 0 }, { signal: abort.signal });
  await turn();
  abort.abort();
  assert.equal(await aborted, "stalled");
  const released = server.download(route, { round: 1, offset: 0 }, { signal });
  await turn();
  server.release(1);
  assert.equal(await released, "stalled");
  await server.hold({ round: 2, bytes: pattern(100).buffer });
  wire.outcome = "gone";
  assert.equal(await server.download(route, { round: 2, offset: 0 }, { signal }), "gone");
  wire.outcome = "taken";
  const closed = server.download(route, { round: 2, offset: 0 }, { signal });
  await turn();
  await server[Symbol.asyncDispose]();
  assert.equal(await closed, "stalled");
  assert.equal(wire.disposed, 1);
});

Deno.test("a model that was released, or never held, is a RangeError", async () => {
  const { server } = await paced(100, { partBytes: 10, windowBytes: 20 });
  server.release(1);
  for (const round of [1, 2]) {
    await assert.rejects(server.download(route, { round, offset: 0 }, { signal }), RangeError);
  }
});
