import assert from "node:assert/strict";
import type { SendOutcome } from "../../../src/contract/protocol_server.ts";
import { Outbox } from "../../../src/protocols/quic/outbox.ts";

const NEVER = new AbortController().signal;

/** A wire that takes one message at a time, when told to. */
function slowWire() {
  const written: string[] = [];
  const waiting: ((outcome: SendOutcome) => void)[] = [];
  return {
    written,
    write: (name: string) => () => {
      written.push(name);
      return new Promise<SendOutcome>((resolve) => waiting.push(resolve));
    },
    take: () => waiting.shift()?.("taken"),
  };
}

Deno.test("Outbox.send() writes in order, one message at a time", async () => {
  const wire = slowWire();
  const outbox = new Outbox();
  const first = outbox.send(wire.write("first"), NEVER);
  const second = outbox.send(wire.write("second"), NEVER);
  assert.deepEqual(wire.written, ["first"]);
  wire.take();
  assert.equal(await first, "taken");
  wire.take();
  assert.equal(await second, "taken");
  const third = outbox.send(wire.write("third"), NEVER);
  wire.take();
  assert.equal(await third, "taken");
});

Deno.test("Outbox.answer() goes before what was sent and is not yet being written", async () => {
  const wire = slowWire();
  const outbox = new Outbox();
  const first = outbox.send(wire.write("first"), NEVER);
  const second = outbox.send(wire.write("second"), NEVER);
  const answer = outbox.answer(wire.write("answer"));
  wire.take();
  await first;
  wire.take();
  assert.equal(await answer, "taken");
  wire.take();
  await second;
  assert.deepEqual(wire.written, ["first", "answer", "second"]);
});

Deno.test("Outbox.send() that is aborted before its turn is stalled and never written", async () => {
  const wire = slowWire();
  const outbox = new Outbox();
  const abort = new AbortController();
  const first = outbox.send(wire.write("first"), NEVER);
  const second = outbox.send(wire.write("second"), abort.signal);
  abort.abort();
  assert.equal(await second, "stalled");
  assert.equal(await outbox.send(wire.write("third"), abort.signal), "stalled");
  wire.take();
  await first;
  await outbox.end();
  assert.deepEqual(wire.written, ["first"]);
});

Deno.test("Outbox.send() that is aborted while it is written is stalled, and the next one waits", async () => {
  const wire = slowWire();
  const outbox = new Outbox();
  const abort = new AbortController();
  const first = outbox.send(wire.write("first"), abort.signal);
  const second = outbox.send(wire.write("second"), NEVER);
  abort.abort();
  assert.equal(await first, "stalled");
  assert.deepEqual(wire.written, ["first"]);
  wire.take();
  const ended = outbox.refuse();
  assert.equal(ended, undefined);
  assert.equal(await second, "gone");
});

Deno.test("Outbox.refuse() makes sends gone and lets answers go on", async () => {
  const wire = slowWire();
  const outbox = new Outbox();
  const first = outbox.send(wire.write("first"), NEVER);
  const second = outbox.send(wire.write("second"), NEVER);
  const answer = outbox.answer(wire.write("answer"));
  outbox.refuse();
  assert.equal(await second, "gone");
  assert.equal(await outbox.send(wire.write("third"), NEVER), "gone");
  wire.take();
  assert.equal(await first, "taken");
  wire.take();
  assert.equal(await answer, "taken");
});

Deno.test("Outbox.end() waits for what was begun and lets go of the rest", async () => {
  const wire = slowWire();
  const outbox = new Outbox();
  const first = outbox.answer(wire.write("first"));
  const second = outbox.answer(wire.write("second"));
  const ended = outbox.end();
  assert.equal(await second, "gone");
  wire.take();
  await ended;
  assert.equal(await first, "taken");
  assert.equal(await outbox.answer(wire.write("third")), "gone");
});
