import assert from "node:assert/strict";
import { Inbox } from "../../../src/protocols/quic/inbox.ts";

Deno.test("Inbox.put() waits while more than the limit is held", async () => {
  const inbox = new Inbox<string>(10);
  await inbox.put("first", 10);
  let taken = false;
  const second = inbox.put("second", 1).then(() => taken = true);
  const iterator = inbox[Symbol.asyncIterator]();
  assert.equal(taken, false);
  assert.equal((await iterator.next()).value, "first");
  await second;
  assert.equal((await iterator.next()).value, "second");
});

Deno.test("Inbox keeps what was put before its end, and drops what comes later", async () => {
  const inbox = new Inbox<string>(10);
  await inbox.put("first", 10);
  const late = inbox.put("late", 1);
  inbox.end();
  await late;
  assert.deepEqual(await Array.fromAsync(inbox), ["first"]);
});

Deno.test("Inbox wakes whoever waits for its first entry", async () => {
  const inbox = new Inbox<string>(10);
  const first = inbox[Symbol.asyncIterator]().next();
  await inbox.put("first", 1);
  assert.deepEqual(await first, { value: "first", done: false });
});
