import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { type Letter, Outflow, type Source } from "../../src/contract/outflow.ts";

/** A broker that confirms when it is told to. */
class SlowBroker {
  readonly written: string[] = [];
  readonly #confirms: PromiseWithResolvers<boolean>[] = [];

  publish = (address: string): Promise<boolean> => {
    this.written.push(address);
    const confirm = Promise.withResolvers<boolean>();
    this.#confirms.push(confirm);
    return confirm.promise;
  };

  get unconfirmed(): number {
    return this.#confirms.length;
  }

  /** The oldest one. */
  async confirm(outcome: boolean | Error = true): Promise<void> {
    const confirm = this.#confirms.shift();
    if (outcome instanceof Error) confirm?.reject(outcome);
    else confirm?.resolve(outcome);
    await turn();
  }
}

class Queue implements Source {
  readonly #letters: Letter[];

  constructor(...letters: readonly Letter[]) {
    this.#letters = [...letters];
  }

  next(): Letter | undefined {
    return this.#letters.shift();
  }
}

function letter(address: string, more: Partial<Letter> = {}): Letter {
  return { address, bytes: new Uint8Array(10), lost: () => {}, ...more };
}

function letters(address: string, count: number): Letter[] {
  return Array.from({ length: count }, (_, index) => letter(`${address}${index}`));
}

function open({ windowMessages = 4, windowBytes = 1000 } = {}) {
  const broker = new SlowBroker();
  const { publish } = broker;
  return { broker, outflow: new Outflow({ publish, windowMessages, windowBytes }) };
}

Deno.test("Outflow keeps the last quarter of its window for answers", async () => {
  const { broker, outflow } = open();
  outflow.offer(new Queue(...letters("a", 9)));
  assert.deepEqual(broker.written, ["a0", "a1", "a2"]);
  outflow.answer(letter("x"));
  outflow.answer(letter("y"));
  assert.deepEqual(broker.written.slice(3), ["x"]);
  await broker.confirm();
  assert.deepEqual(broker.written.slice(4), ["y"]);
});

Deno.test("Outflow gives every source its turn", async () => {
  const { broker, outflow } = open();
  outflow.pause();
  for (const name of ["a", "b", "c"]) outflow.offer(new Queue(...letters(name, 2)));
  outflow.resume();
  while (broker.unconfirmed > 0) await broker.confirm();
  assert.deepEqual(broker.written, ["a0", "b0", "c0", "a1", "b1", "c1"]);
});

Deno.test("Outflow writes answers only, once enough bytes are unconfirmed", async () => {
  const { broker, outflow } = open({ windowMessages: 100, windowBytes: 20 });
  outflow.offer(new Queue(...letters("a", 3)));
  assert.deepEqual(broker.written, ["a0", "a1"]);
  outflow.answer(letter("x"));
  assert.deepEqual(broker.written, ["a0", "a1", "x"]);
  await broker.confirm();
  await broker.confirm();
  assert.equal(broker.written.at(-1), "a2");
});

Deno.test("Outflow tells whose letter was lost, and why the broker would not take it", async () => {
  const { broker, outflow } = open();
  const lost: (string | undefined)[] = [];
  const noted = { lost: (reason: string | undefined) => lost.push(reason) };
  for (const name of ["a", "b", "c"]) outflow.answer(letter(name, noted));
  await broker.confirm(false);
  await broker.confirm(true);
  await broker.confirm(new Error("it is full"));
  assert.deepEqual(lost, [undefined, "it is full"]);
});

Deno.test("Outflow writes nothing while it is paused", async () => {
  const { broker, outflow } = open();
  outflow.answer(letter("x"));
  outflow.pause();
  outflow.answer(letter("y"));
  outflow.offer(new Queue(letter("a")));
  await broker.confirm();
  assert.deepEqual(broker.written, ["x"]);
  outflow.resume();
  assert.deepEqual(broker.written, ["x", "y", "a"]);
});

Deno.test("Outflow.settled() waits for every confirm, but not for a broker that takes nothing", async () => {
  const { broker, outflow } = open({ windowMessages: 1 });
  outflow.answer(letter("x"));
  outflow.answer(letter("y"));
  let isSettled = false;
  const settled = outflow.settled().then(() => isSettled = true);
  await broker.confirm();
  assert.equal(isSettled, false);
  await broker.confirm();
  await settled;
  outflow.answer(letter("z"));
  outflow.pause();
  await outflow.settled();
});

Deno.test("Outflow never has more unconfirmed than its window, and loses no letter", async () => {
  const steps = fc.array(fc.constantFrom("answer", "offer", "confirm", "pause", "resume"), {
    maxLength: 60,
  });
  await fc.assert(fc.asyncProperty(steps, fc.integer({ min: 1, max: 9 }), async (all, most) => {
    const { broker, outflow } = open({ windowMessages: most });
    const given: string[] = [];
    for (const [index, step] of all.entries()) {
      if (step === "confirm") await broker.confirm();
      else if (step === "answer" || step === "offer") {
        const each = letter(`${step} ${index}`);
        given.push(each.address);
        if (step === "answer") outflow.answer(each);
        else outflow.offer(new Queue(each));
      } else outflow[step]();
      assert.ok(broker.unconfirmed <= most);
    }
    outflow.resume();
    while (broker.unconfirmed > 0) await broker.confirm();
    assert.deepEqual(broker.written.toSorted(), given.toSorted());
    const answers = (of: readonly string[]) => of.filter((each) => each.startsWith("answer"));
    assert.deepEqual(answers(broker.written), answers(given));
  }));
});
