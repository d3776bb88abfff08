import assert from "node:assert/strict";
import * as fc from "fast-check";
import { serverMessage } from "../../../src/contract/codec.ts";
import { type ServerMessage, Verdict } from "../../../src/contract/federation_pb.ts";
import { Outbox } from "../../../src/protocols/grpc/outbox.ts";
import { answer } from "../../support/scripted_coordinator.ts";

/** A wire that takes one message each time it is told to. */
class Valve {
  readonly taken: string[] = [];
  #open = false;
  #waiting: { name: string; resolve: (taken: boolean) => void }[] = [];

  readonly write = (message: ServerMessage): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.push({ name: nameOf(message), resolve });
    if (this.#open) this.take();
    return promise;
  };

  /** Messages that are being written. */
  get writing(): readonly string[] {
    return this.#waiting.map(({ name }) => name);
  }

  take(): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.taken.push(next.name);
    next.resolve(true);
  }

  open(): void {
    this.#open = true;
    this.take();
  }

  breakOff(): void {
    for (const { resolve } of this.#waiting) resolve(false);
  }
}

function task(round: number): ServerMessage {
  return serverMessage({ body: { case: "task", value: { round } } });
}

function nameOf({ body }: ServerMessage): string {
  if (body.case === "receipt") return `receipt ${body.value.sequence}`;
  return body.case === "task" ? `task ${body.value.round}` : "";
}

const { signal } = new AbortController();
const accepted = (sequence: number) => answer(sequence, Verdict.ACCEPTED);

Deno.test("Outbox writes one message at a time, receipts before what waits", async () => {
  const valve = new Valve();
  const outbox = new Outbox(valve.write);
  const sent = [1, 2, 3].map((round) => outbox.send(task(round), signal));
  const answered = outbox.answer(Promise.resolve(accepted(7)));
  await outbox.answer(Promise.resolve(undefined)); // none is due, and the one before it has its place
  assert.deepEqual(valve.writing, ["task 1"]);
  valve.open();
  await answered;
  assert.deepEqual(await Promise.all(sent), ["taken", "taken", "taken"]);
  assert.deepEqual(valve.taken, ["task 1", "receipt 7", "task 2", "task 3"]);
});

Deno.test("Outbox writes answers in arrival order, whatever the order of the verdicts", async () => {
  const numbers = fc.uniqueArray(fc.nat({ max: 20 }), { minLength: 1, maxLength: 20 });
  await fc.assert(fc.asyncProperty(numbers, async (order) => {
    const valve = new Valve();
    valve.open();
    const outbox = new Outbox(valve.write);
    const verdicts = order.map(() => Promise.withResolvers<ReturnType<typeof accepted>>());
    const answers = verdicts.map(({ promise }) => outbox.answer(promise));
    const ranks = order.map((key, index) => ({ key, index })).sort((a, b) => a.key - b.key);
    for (const { index } of ranks) verdicts[index]?.resolve(accepted(index));
    await Promise.all(answers);
    assert.deepEqual(valve.taken, order.map((_, index) => `receipt ${index}`));
  }));
});

Deno.test("Outbox withdraws a message that is not begun, and finishes the one that is", async () => {
  const valve = new Valve();
  const outbox = new Outbox(valve.write);
  const abort = new AbortController();
  const begun = outbox.send(task(1), abort.signal);
  const waiting = outbox.send(task(2), abort.signal);
  const other = outbox.send(task(3), signal);
  abort.abort();
  assert.deepEqual(await Promise.all([begun, waiting]), ["stalled", "stalled"]);
  assert.equal(await outbox.send(task(4), abort.signal), "stalled");
  valve.open();
  assert.equal(await other, "taken");
  assert.deepEqual(valve.taken, ["task 1", "task 3"]);
});

Deno.test("Outbox.close() gives up what waits and lets the message being written finish", async () => {
  const valve = new Valve();
  const outbox = new Outbox(valve.write);
  const sent = [1, 2].map((round) => outbox.send(task(round), signal));
  const closed = outbox.close();
  assert.equal(await sent[1], "gone");
  valve.take();
  assert.equal(await sent[0], "taken");
  await closed;
  assert.equal(await outbox.send(task(3), signal), "gone");
  await outbox.answer(Promise.resolve(accepted(1)));
  assert.deepEqual(valve.taken, ["task 1"]);
});

Deno.test("Outbox calls a message gone that the wire broke off", async () => {
  const valve = new Valve();
  const outbox = new Outbox(valve.write);
  const sent = outbox.send(task(1), signal);
  const closed = outbox.close();
  valve.breakOff();
  assert.equal(await sent, "gone");
  await closed;
});

Deno.test("Outbox.drained() waits for every verdict so far, and for what is sent", async () => {
  const valve = new Valve();
  valve.open();
  const outbox = new Outbox(valve.write);
  const verdict = Promise.withResolvers<ReturnType<typeof accepted>>();
  void outbox.answer(verdict.promise);
  void outbox.send(task(1), signal);
  const drained = outbox.drained().then(() => [...valve.taken]);
  verdict.resolve(accepted(9));
  assert.deepEqual(await drained, ["task 1", "receipt 9"]);
});
