import assert from "node:assert/strict";
import { decodeServerMessage, serverMessage } from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { Answer } from "../../../src/contract/protocol_server.ts";
import { Outbox } from "../../../src/protocols/dds/outbox.ts";
import type { WriteOutcome } from "../../../src/protocols/dds/writer.ts";
import { answer } from "../../support/scripted_coordinator.ts";

/** A writer whose reader is slow: full until room is made. */
function slot(rooms: number) {
  const written: string[] = [];
  const wanted: (() => void)[] = [];
  return {
    written,
    outbox: new Outbox({
      matched: Promise.resolve(),
      write(body): WriteOutcome {
        if (written.length >= rooms) return "full";
        const message = decodeServerMessage(body).body;
        written.push(
          message.case === "receipt" ? `receipt ${message.value.sequence}` : message.case ?? "",
        );
        return "taken";
      },
      room: () =>
        written.length < rooms
          ? Promise.resolve()
          : new Promise<void>((resolve) => wanted.push(resolve)),
    }),
    make(more: number) {
      rooms += more;
      wanted.shift()?.();
    },
  };
}

const finish = serverMessage({ body: { case: "finish", value: {} } });
const never = new AbortController().signal;

Deno.test("Outbox writes answers in the order of their questions, before all that waits", async () => {
  const { outbox, written, make } = slot(0);
  const sent = outbox.send(finish, never);
  const first = Promise.withResolvers<Answer | undefined>();
  const answers = [
    outbox.answer(first.promise),
    outbox.answer(Promise.resolve(answer(2, Verdict.ACCEPTED))),
  ];
  first.resolve(answer(1, Verdict.ACCEPTED));
  await first.promise;
  make(3);
  await Promise.all(answers);
  assert.equal(await sent, "taken");
  assert.deepEqual(written, ["receipt 1", "receipt 2", "finish"]);
});

Deno.test("Outbox.send() is stalled by its signal, and is not written later", async () => {
  const { outbox, written, make } = slot(0);
  const abort = new AbortController();
  const stalled = outbox.send(finish, abort.signal);
  await Promise.resolve();
  abort.abort();
  assert.equal(await stalled, "stalled");
  const next = outbox.send(serverMessage({ body: { case: "closing", value: {} } }), never);
  make(9);
  assert.equal(await next, "taken");
  assert.deepEqual(written, ["closing"]);
});

Deno.test("Outbox.close() lets go of whoever waits, and writes nothing more", async () => {
  const { outbox, written, make } = slot(0);
  const sent = outbox.send(finish, never);
  const answered = outbox.answer(Promise.resolve(answer(1, Verdict.ACCEPTED)));
  outbox.close();
  make(9);
  assert.equal(await sent, "gone");
  await answered;
  assert.equal(await outbox.send(finish, never), "gone");
  assert.deepEqual(written, []);
});
