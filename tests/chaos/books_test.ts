import assert from "node:assert/strict";
import { Awaitable } from "../support/awaitable.ts";
import { Accounts } from "./accounts.ts";
import { Books } from "./books.ts";
import type { Happening } from "./members.ts";
import type { ServerLine } from "./server.ts";
import { Standstill } from "./standstill.ts";

const CLIENTS = ["a", "b"];

/** Books of a server that says what the test says. */
class Bench {
  readonly log = new Awaitable<ServerLine>();
  readonly happenings = new Awaitable<Happening>();
  readonly stop = new AbortController();
  readonly books: Books;

  constructor({ stalledMs = 600_000 } = {}) {
    this.books = new Books({
      accounts: new Accounts(new Map(), "nowhere"),
      log: this.log,
      happenings: this.happenings,
      wrong: [],
      stalledMs,
      signal: this.stop.signal,
    });
  }

  says(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.log.push({ message, life: 1, ...fields });
  }

  /** A round with these clients in it. */
  closes(...clients: readonly string[]): void {
    for (const client of clients) this.says("update accepted", { client });
    this.says("round closed");
  }
}

Deno.test("Books.everybody() waits until each client was in so many rounds, not all in the same", async () => {
  const bench = new Bench();
  bench.closes("a", "b"); // before it was asked
  let isDone = false;
  const done = bench.books.everybody(CLIENTS, 2).then(() => isDone = true);
  bench.closes("a");
  bench.closes("a", "b");
  await bench.log.find(() => true);
  assert.equal(isDone, false);
  bench.closes("b");
  await done;
});

Deno.test("Books.everybody() names who is left out of the rounds that are closed", async () => {
  const bench = new Bench();
  const done = bench.books.everybody(CLIENTS, 1);
  for (let round = 0; round < 40; round++) bench.closes("a");
  await assert.rejects(done, new Standstill("40 rounds were closed, and hardly any with b"));
});

Deno.test("Books.round() does not wait for a server that has ended", async () => {
  const bench = new Bench();
  const closed = bench.books.round();
  bench.says("ended", { reason: "1 null out of memory" });
  await assert.rejects(closed, new Standstill("the server ended: 1 null out of memory"));
});

Deno.test("Books.round() ends when the trial is interrupted, before it is asked or after", async () => {
  const bench = new Bench();
  const closed = bench.books.round();
  bench.stop.abort();
  await assert.rejects(closed, new Standstill("the trial was interrupted before its end"));
  await assert.rejects(bench.books.round(), Standstill);
});

Deno.test("Books.round() finds a run that does not go on, whatever else is said", async () => {
  const bench = new Bench({ stalledMs: 1 });
  const closed = bench.books.round();
  bench.says("update refused");
  await assert.rejects(closed, new Standstill("no round was closed for 0.001 s"));
});

Deno.test("Books.unexpected() names clients that gave up, and a server that was not killed", () => {
  const bench = new Bench();
  bench.happenings.push({ client: "a", what: "uploaded" });
  bench.happenings.push({ client: "a", what: "failed", reason: "no more" });
  bench.says("ended", { code: 137, signal: "SIGKILL", reason: "137 SIGKILL" });
  bench.says("ended", { code: 1, signal: null, reason: "1 null a bug" });
  bench.says("wrong", { sentence: "a part for no task was accepted" });
  assert.deepEqual(bench.books.unexpected(), [
    "a failed: no more",
    "the server ended: 1 null a bug",
    "a part for no task was accepted",
  ]);
});
