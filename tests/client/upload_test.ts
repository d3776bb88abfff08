import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { ConnectionLost } from "../../src/contract/connection.ts";
import {
  type ClientMessage,
  type Receipt,
  type UpdatePart,
  Verdict,
} from "../../src/contract/federation_pb.ts";
import { type Update, upload } from "../../src/client/upload.ts";
import { ManualTimers } from "../support/manual_timers.ts";
import { begin, openExchange, partIn, SILENCE_MS, updateOf } from "./answered_upload.ts";
import type { MemoryConnection } from "./memory_connection.ts";

const { signal } = new AbortController();

type Answer = { verdict: Verdict } & Partial<Receipt>;

/** The server's end of an upload: holds what follows, as the contract says. */
class Responder {
  readonly held: Uint8Array<ArrayBuffer>;
  heldBytes = 0;
  done = false;

  constructor(length: number) {
    this.held = new Uint8Array(length);
  }

  take(part: UpdatePart): Answer {
    const offset = Number(part.offset);
    const nextOffset = () => BigInt(this.heldBytes);
    if (this.done) return { verdict: Verdict.DUPLICATE, nextOffset: part.totalBytes };
    if (offset > this.heldBytes) return { verdict: Verdict.GAP, nextOffset: nextOffset() };
    this.held.set(part.bytes, offset);
    this.heldBytes = Math.max(this.heldBytes, offset + part.bytes.length);
    this.done = this.heldBytes === this.held.length;
    const verdict = this.done ? Verdict.ACCEPTED : Verdict.HELD;
    return { verdict, nextOffset: nextOffset() };
  }
}

Deno.test("upload() sends a window ahead of the receipts, and no more", async () => {
  const { exchange, receipt, offsets, answer } = begin(updateOf(100), {
    partBytes: 20,
    windowBytes: 50,
  });
  await using _ = exchange;
  assert.deepEqual(await offsets(), [0, 20]);
  answer(Verdict.HELD, { nextOffset: 20n });
  assert.deepEqual(await offsets(), [20, 40]);
  answer(Verdict.HELD, { nextOffset: 40n });
  answer(Verdict.HELD, { nextOffset: 60n });
  assert.deepEqual(await offsets(), [60, 80]);
  answer(Verdict.HELD, { nextOffset: 80n });
  answer(Verdict.ACCEPTED, { nextOffset: 100n });
  assert.equal((await receipt).verdict, Verdict.ACCEPTED);
});

Deno.test("each part says whose it is; the last one carries the metrics", async () => {
  const { connection, exchange, offsets } = begin(updateOf(50), {
    partBytes: 20,
    windowBytes: 100,
  });
  await using _ = exchange;
  await offsets();
  const parts = connection.sent.all.map(partIn);
  assert.deepEqual(
    parts.map(({ offset, bytes, metrics }) => [Number(offset), bytes.length, metrics]),
    [[0, 20, {}], [20, 20, {}], [40, 10, { loss: 0.5 }]],
  );
  for (const { taskId, modelRound, uploadId, samples, totalBytes } of parts) {
    assert.deepEqual(
      { taskId, modelRound, uploadId, samples, totalBytes },
      {
        taskId: 2,
        modelRound: 1,
        uploadId: new Uint8Array(16).fill(5),
        samples: 10,
        totalBytes: 50n,
      },
    );
  }
});

Deno.test("a window smaller than a part lets one part go at a time", async () => {
  const { exchange, offsets, answer } = begin(updateOf(60), { partBytes: 20, windowBytes: 10 });
  await using _ = exchange;
  assert.deepEqual(await offsets(), [0]);
  answer(Verdict.HELD, { nextOffset: 20n });
  assert.deepEqual(await offsets(), [20]);
});

Deno.test("an update of no bytes is one part of none", async () => {
  const { connection, exchange, receipt, offsets, answer } = begin(updateOf(0), {
    partBytes: 20,
    windowBytes: 10,
  });
  await using _ = exchange;
  assert.deepEqual(await offsets(), [0]);
  assert.equal(partIn(connection.sent.all[0] ?? assert.fail()).bytes.length, 0);
  answer(Verdict.ACCEPTED);
  await receipt;
});

Deno.test("an upload that was begun on another connection goes on where it was held", async () => {
  const { exchange, receipt, offsets, answer } = begin(updateOf(100, 60), {
    partBytes: 20,
    windowBytes: 100,
  });
  await using _ = exchange;
  assert.deepEqual(await offsets(), [60, 80]);
  // The server was started again meanwhile and holds nothing of it.
  answer(Verdict.GAP, { nextOffset: 0n });
  answer(Verdict.GAP, { nextOffset: 0n });
  assert.deepEqual(await offsets(), [0, 20, 40, 60, 80]);
  for (const nextOffset of [20n, 40n, 60n, 80n]) answer(Verdict.HELD, { nextOffset });
  answer(Verdict.ACCEPTED);
  await receipt;
});

Deno.test("a gap is sent from once, however many parts were behind it", async () => {
  const { exchange, offsets, answer } = begin(updateOf(100), { partBytes: 20, windowBytes: 100 });
  await using _ = exchange;
  assert.deepEqual(await offsets(), [0, 20, 40, 60, 80]);
  answer(Verdict.HELD, { nextOffset: 20n });
  answer(Verdict.GAP, { nextOffset: 20n });
  answer(Verdict.GAP, { nextOffset: 20n });
  answer(Verdict.GAP, { nextOffset: 20n });
  // Two of the first turn are unanswered still, and then what follows the gap.
  assert.deepEqual((await offsets()).filter((offset) => offset === 20), [20]);
});

for (const verdict of [Verdict.BUSY, Verdict.FAILED]) {
  Deno.test(`${Verdict[verdict]} waits as long as the server says, then begins again`, async () => {
    using timers = new ManualTimers();
    const { exchange, receipt, offsets, answer } = begin(updateOf(40), {
      partBytes: 20,
      windowBytes: 100,
    });
    await using _ = exchange;
    await offsets();
    answer(verdict, { retryAfterMs: 700 });
    answer(verdict, { retryAfterMs: 700 });
    assert.deepEqual(await offsets(), []);
    timers.pass(699);
    assert.deepEqual(await offsets(), []);
    timers.pass(1);
    assert.deepEqual(await offsets(), [0, 20]);
    answer(Verdict.HELD, { nextOffset: 20n });
    answer(Verdict.ACCEPTED, { nextOffset: 40n });
    assert.equal((await receipt).verdict, Verdict.ACCEPTED);
  });
}

for (
  const verdict of [
    Verdict.ACCEPTED,
    Verdict.DUPLICATE,
    Verdict.STALE,
    Verdict.MALFORMED,
    Verdict.OVERSIZED,
    Verdict.WRONG_SHAPE,
    Verdict.NON_FINITE,
    Verdict.OUT_OF_RANGE,
    Verdict.UNAUTHORISED,
    Verdict.NO_SESSION,
    Verdict.FINISHED,
  ]
) {
  Deno.test(`${Verdict[verdict]} is the end of an upload`, async () => {
    const { exchange, receipt, offsets, answer } = begin(updateOf(40), {
      partBytes: 20,
      windowBytes: 100,
    });
    await using _ = exchange;
    await offsets();
    answer(verdict, { detail: "so it is" });
    const { verdict: final, detail } = await receipt;
    assert.deepEqual([final, detail], [verdict, "so it is"]);
  });
}

Deno.test("an upload ends with its connection, also while it waits", async () => {
  using timers = new ManualTimers();
  const sending = begin(updateOf(40), { partBytes: 20, windowBytes: 100 });
  await sending.offsets();
  sending.connection.end("cable pulled");
  await assert.rejects(sending.receipt, ConnectionLost);
  const waiting = begin(updateOf(40), { partBytes: 20, windowBytes: 20 });
  await waiting.offsets();
  waiting.answer(Verdict.BUSY, { retryAfterMs: 60_000 });
  await waiting.offsets();
  waiting.connection.end("cable pulled");
  await assert.rejects(waiting.receipt, ConnectionLost);
  await turn();
  assert.equal(timers.waiting, 0);
  for (const { exchange } of [sending, waiting]) await exchange[Symbol.asyncDispose]();
});

Deno.test("an upload that is given up rejects with the signal's reason", async () => {
  using timers = new ManualTimers();
  const { connection, exchange } = openExchange();
  await using _ = exchange;
  const abort = new AbortController();
  const options = { partBytes: 20, windowBytes: 20, signal: abort.signal };
  const receipt = upload(exchange, updateOf(40), options);
  connection.judge(1, Verdict.BUSY, { retryAfterMs: 1000 });
  await turn();
  abort.abort(new Error("the round has closed"));
  await assert.rejects(receipt, { message: "the round has closed" });
  await assert.rejects(upload(exchange, updateOf(40), options), { message: /closed/ });
  assert.equal(timers.waiting, 0);
});

/** What happens to one part on its way there and back. */
const fates = fc.infiniteStream(fc.oneof(
  { weight: 12, arbitrary: fc.constant("answered" as const) },
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      "answered twice" as const,
      "part lost" as const,
      "receipt lost" as const,
      "part repeated" as const,
      "connection lost" as const,
      "server forgets" as const,
      "busy" as const,
      "failed" as const,
      "answered late" as const,
    ),
  },
));

const trips = fc.record({
  length: fc.nat({ max: 400 }),
  partBytes: fc.integer({ min: 1, max: 120 }),
  windowBytes: fc.integer({ min: 1, max: 300 }),
  fates,
  /** How many parts meet a fate at all: then the wire behaves. */
  troubles: fc.nat({ max: 60 }),
  /** Whether an earlier process has begun it. */
  resumed: fc.boolean(),
});

Deno.test("whatever is lost, repeated, late or forgotten, an upload ends, and the server holds it", async () => {
  await fc.assert(
    fc.asyncProperty(trips, async (trip) => {
      const { length, partBytes, windowBytes, fates, troubles, resumed } = trip;
      using timers = new ManualTimers();
      const update: Update = { ...updateOf(length), heldBytes: resumed ? undefined : 0 };
      const responder = new Responder(length);
      let troubled = 0;
      let final: Receipt | undefined;
      for (let connections = 0; final === undefined; connections++) {
        assert.ok(connections < 200, "it needs ever more connections");
        const { connection, exchange } = openExchange();
        await using _ = exchange;
        let ended = false;
        upload(exchange, update, { partBytes, windowBytes, signal }).then(
          (receipt) => final = receipt,
          (error) => assert.ok(error instanceof ConnectionLost, String(error)),
        ).finally(() => ended = true);
        const late: (() => void)[] = [];
        for (let next = 0, idle = 0; !ended;) {
          await turn();
          const message = connection.sent.all[next];
          if (message === undefined) {
            // Nothing goes on but time, or what was late.
            if (late.length > 0) late.shift()?.();
            else timers.pass(idle++ < 5 ? 100 : SILENCE_MS);
            continue;
          }
          idle = 0;
          next++;
          const fate = troubled++ < troubles ? fates.next().value : "answered";
          meet(fate, { message, connection, responder, late });
        }
      }
      assert.ok(final.verdict === Verdict.ACCEPTED || final.verdict === Verdict.DUPLICATE);
      assert.ok(responder.done);
      assert.deepEqual(responder.held, update.bytes);
    }),
    { numRuns: 150 },
  );
});

function meet(
  fate: string,
  { message, connection, responder, late }: {
    message: ClientMessage;
    connection: MemoryConnection;
    responder: Responder;
    late: (() => void)[];
  },
): void {
  const part = partIn(message);
  const answer = ({ verdict, ...more }: Answer) =>
    connection.judge(message.sequence, verdict, more);
  switch (fate) {
    case "part lost":
      return;
    case "receipt lost":
      responder.take(part);
      return;
    case "connection lost":
      responder.take(part);
      return connection.end("cable pulled");
    case "server forgets":
      if (!responder.done) responder.heldBytes = 0;
      return answer(responder.take(part));
    case "busy":
      return answer({ verdict: Verdict.BUSY, retryAfterMs: 100 });
    case "failed":
      return answer({ verdict: Verdict.FAILED, retryAfterMs: 100 });
    case "part repeated":
      responder.take(part);
      return answer(responder.take(part));
    case "answered twice": {
      const receipt = responder.take(part);
      answer(receipt);
      return answer(receipt);
    }
    case "answered late": {
      const receipt = responder.take(part);
      late.push(() => answer(receipt));
      return;
    }
    default:
      answer(responder.take(part));
  }
}
