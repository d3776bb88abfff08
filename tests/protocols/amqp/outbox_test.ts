import assert from "node:assert/strict";
import { Outbox } from "../../../src/protocols/amqp/outbox.ts";
import { Awaitable } from "../../support/awaitable.ts";

/** A socket that takes octets only when the test lets it, and then not more than `most` at once. */
class Socket {
  readonly #written: Uint8Array[] = [];
  readonly writes = new Awaitable<number>();
  readonly most: number;
  #open = Promise.withResolvers<void>();

  constructor(most: number, { open }: { open: boolean }) {
    this.most = most;
    if (open) this.#open.resolve();
  }

  async write(octets: Uint8Array): Promise<number> {
    this.writes.push(octets.length);
    await this.#open.promise;
    const taken = octets.subarray(0, this.most);
    this.#written.push(taken.slice());
    return taken.length;
  }

  get written(): number[] {
    return this.#written.flatMap((taken) => [...taken]);
  }

  open(): void {
    this.#open.resolve();
  }

  fail(reason: string): void {
    this.#open.reject(new Error(reason));
  }
}

function octets(length: number, fill = 1): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

Deno.test("Outbox writes every piece whole and in order, however little the socket takes", async () => {
  const socket = new Socket(7, { open: true });
  const outbox = new Outbox(socket, { room: () => {}, failure: assert.fail });
  outbox.push(octets(20, 1));
  outbox.push(octets(70_000, 2));
  outbox.push(octets(3, 3));
  await outbox.drained();
  assert.deepEqual(
    socket.written,
    [...octets(20, 1), ...octets(70_000, 2), ...octets(3, 3)],
  );
  assert.equal(outbox.writtenBytes, 70_023);
  assert.equal(outbox.waitingBytes, 0);
});

Deno.test("Outbox puts what is pushed in one turn into one write", async () => {
  const socket = new Socket(1e6, { open: true });
  const outbox = new Outbox(socket, { room: () => {}, failure: assert.fail });
  for (let count = 0; count < 100; count++) outbox.push(octets(10));
  await outbox.drained();
  assert.deepEqual(socket.writes.all, [1000]);
});

Deno.test("Outbox.takesBulk until half a mebibyte waits, and tells when there is room again", async () => {
  const socket = new Socket(1e6, { open: false });
  const room = new Awaitable<"room">();
  const outbox = new Outbox(socket, { room: () => room.push("room"), failure: assert.fail });
  outbox.push(octets(512 * 1024 - 1));
  assert.ok(outbox.takesBulk());
  outbox.push(octets(1));
  assert.ok(!outbox.takesBulk());
  socket.open();
  await room.find(() => true);
  assert.ok(outbox.takesBulk());
  await outbox.drained();
  assert.equal(room.all.length, 1);
});

Deno.test("Outbox.unstalled waits while far too much waits, and no longer than it is open", async () => {
  const socket = new Socket(8e6, { open: false });
  const outbox = new Outbox(socket, { room: () => {}, failure: assert.fail });
  await outbox.unstalled();
  outbox.push(octets(5_000_000));
  assert.ok(outbox.stalled);
  const unstalled = outbox.unstalled();
  outbox.close();
  await unstalled;
  socket.open();
  await outbox.drained();
});

Deno.test("Outbox tells once of a socket that takes no more, and is silent after close", async () => {
  const failures: string[] = [];
  const broken = new Socket(1, { open: false });
  const outbox = new Outbox(broken, { room: () => {}, failure: (reason) => failures.push(reason) });
  outbox.push(octets(10));
  await broken.writes.find(() => true);
  broken.fail("broken pipe");
  await outbox.drained();
  outbox.push(octets(10));
  await outbox.drained();
  assert.deepEqual(failures, ["broken pipe"]);
  const closed = new Socket(1, { open: false });
  const other = new Outbox(closed, { room: () => {}, failure: assert.fail });
  other.push(octets(10));
  await closed.writes.find(() => true);
  other.close();
  closed.fail("closed here");
  await other.drained();
});
