/** What every protocol server does, whatever its wire: one suite, run in process and in the Worker. */

import assert from "node:assert/strict";
import { DEFAULT_PART_BYTES, serverMessage } from "../../src/contract/codec.ts";
import { type ServerMessage, Verdict } from "../../src/contract/federation_pb.ts";
import { WorkerLink } from "../../src/contract/link.ts";
import { PacedServer, type PacingOptions } from "../../src/contract/paced_server.ts";
import type { Arrival, Link, Route } from "../../src/contract/protocol_server.ts";
import type { StartOptions } from "../../src/contract/server_options.ts";
import { ManualTimers } from "../support/manual_timers.ts";
import { body, heartbeat, hello, Peer } from "../support/peer.ts";
import { federationConformance } from "./federation_conformance.ts";
import { guarded, serverOptions, type Subject, urlOf } from "./subject.ts";
import { answer, RUN_ID, ScriptedCoordinator } from "../support/scripted_coordinator.ts";

const MIB = 1024 * 1024;
const WINDOW_BYTES = 4 * MIB;
const pacing: PacingOptions = {
  runId: RUN_ID,
  partBytes: DEFAULT_PART_BYTES,
  windowBytes: WINDOW_BYTES,
};

export function conformance<Own>(subject: Subject<Own>): void {
  federationConformance(subject);
  const guard = guarded(subject);
  const server = { ...serverOptions(subject.wire, subject.tls), ...guard.server };
  const paced = { ...pacing, ...guard.pacing };
  const placements: Record<string, (own: Own) => Link> = {
    "in process": (own) => new PacedServer(subject.make(server, own), paced),
    "in its Worker": (own) =>
      new WorkerLink(
        subject.spawn(own),
        { server, own } satisfies StartOptions<Own>,
        paced,
      ),
  };
  for (const [placement, place] of Object.entries(placements)) {
    const claim = (
      text: string,
      test: (bench: Bench<Own>) => Promise<void>,
      options: { ignore?: boolean } = {},
    ) =>
      Deno.test(`${subject.wire} ${placement}: ${text}`, options, async () => {
        await using bench = await Bench.open(subject, place);
        await test(bench);
      });

    claim("a message reaches the coordinator and its receipt the client", async (bench) => {
      await using peer = await bench.dial("client-1");
      const receipt = await peer.ask(hello());
      assert.equal(receipt.verdict, Verdict.ACCEPTED);
      const { message, route } = await bench.coordinator.message("client-1");
      assert.equal(message.body.case, "hello");
      assert.equal(route.wire, subject.wire);
    });

    claim("every verdict arrives with its detail and numbers", async (bench) => {
      await using peer = await bench.dial("client-1");
      for (const verdict of Object.values(Verdict).filter((entry) => typeof entry === "number")) {
        const more = { detail: `verdict ${verdict}`, nextOffset: 2n ** 40n, retryAfterMs: 1500 };
        bench.coordinator.judge = (message) => answer(message.sequence, verdict, more);
        const receipt = await peer.ask(heartbeat());
        assert.equal(receipt.verdict, verdict);
        assert.equal(receipt.detail, more.detail);
        assert.equal(receipt.nextOffset, more.nextOffset);
        assert.equal(receipt.retryAfterMs, more.retryAfterMs);
      }
    });

    claim("a message with sequence 0 gets no receipt, the next one does", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      await peer.connection.send({
        ...(await bench.coordinator.message("client-1")).message,
        sequence: 0,
        body: heartbeat(),
      });
      await peer.ask(heartbeat());
      const receipts = peer.heard.all.filter((message) => message.body.case === "receipt");
      assert.equal(receipts.length, 2);
    });

    claim("receipts of one route come in arrival order, whatever the judge's", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const first = Promise.withResolvers<void>();
      bench.coordinator.judge = async (message) => {
        if (message.sequence === 2) await first.promise;
        return answer(message.sequence, Verdict.ACCEPTED);
      };
      await peer.send(heartbeat());
      await peer.send(heartbeat());
      await bench.coordinator.message("client-1", (message) => message.sequence === 3);
      first.resolve();
      await peer.receipt(3);
      const order = peer.heard.all.map((message) =>
        message.body.case === "receipt" ? message.body.value.sequence : 0
      );
      assert.deepEqual(order, [1, 2, 3]);
    });

    claim("a message without a body is answered as malformed", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.send({ case: undefined });
      assert.equal((await peer.receipt(0)).verdict, Verdict.MALFORMED);
      assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    });

    const lengths = [0, 1, DEFAULT_PART_BYTES - 1, DEFAULT_PART_BYTES, DEFAULT_PART_BYTES + 1];
    claim("models around the part's length arrive bit for bit", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route } = await bench.coordinator.message("client-1");
      for (const [round, length] of lengths.entries()) {
        const bytes = pattern(length);
        assert.deepEqual(await bench.download(peer, route, { round, bytes }), bytes);
      }
    });

    claim(
      "updates around the part's length arrive bit for bit, in buffers of their own",
      async (bench) => {
        await using peer = await bench.dial("client-1");
        for (const [task, length] of lengths.entries()) {
          const bytes = pattern(length);
          assert.deepEqual(await bench.upload(peer, task, bytes), bytes);
        }
      },
    );

    claim("64 MiB arrive bit for bit, down and up", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route } = await bench.coordinator.message("client-1");
      const bytes = pattern(64 * MIB);
      const down = await bench.download(peer, route, { round: 1, bytes });
      assert.ok(equal(down, bytes), "the model differs");
      const up = await bench.upload(peer, 1, bytes);
      assert.ok(equal(up, bytes), "the update differs");
      const traffic = await bench.link.traffic();
      assert.ok(traffic.up >= bytes.length && traffic.down >= bytes.length);
      assert.equal(traffic.connections, 1);
    });

    claim("a model and an update cost hardly more on the wire than their bytes", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route } = await bench.coordinator.message("client-1");
      const before = await bench.link.traffic();
      const bytes = pattern(8 * MIB);
      await bench.download(peer, route, { round: 1, bytes });
      await bench.upload(peer, 1, bytes);
      const { up, down } = await bench.link.traffic();
      for (const carried of [up - before.up, down - before.down]) {
        assert.ok(carried >= bytes.length && carried < 1.02 * bytes.length, `${carried} bytes`);
      }
    });

    claim("a held model leaves its sender's buffer detached", async (bench) => {
      const bytes = pattern(1000).buffer;
      await bench.link.hold({ round: 1, bytes });
      assert.equal(bytes.byteLength, 0);
      assert.ok(bytes.detached);
    });

    claim(
      "a download goes on from an offset, and a repeated offset is sent again",
      async (bench) => {
        await using peer = await bench.dial("client-1");
        await peer.ask(hello());
        const { route } = await bench.coordinator.message("client-1");
        const total = 2 * DEFAULT_PART_BYTES;
        await bench.link.hold({ round: 1, bytes: pattern(total).buffer });
        const signal = new AbortController().signal;
        const offset = DEFAULT_PART_BYTES;
        const done = bench.link.download(route, { round: 1, offset }, { signal });
        const isPart = (message: ServerMessage) => message.body.case === "modelPart";
        const first = await peer.heard.find(isPart);
        assert.equal(first.body.case === "modelPart" && first.body.value.offset, BigInt(offset));
        bench.link.acknowledge(route, { round: 1, offset });
        const again = await peer.heard.find(isPart, peer.heard.all.indexOf(first) + 1);
        assert.deepEqual(again, first);
        bench.link.acknowledge(route, { round: 1, offset: total });
        assert.equal(await done, "taken");
      },
    );

    claim("downloading a model that is not held is a RangeError", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route } = await bench.coordinator.message("client-1");
      const signal = new AbortController().signal;
      await assert.rejects(
        bench.link.download(route, { round: 7, offset: 0 }, { signal }),
        RangeError,
      );
    });

    claim("messages of one route are sent in order", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route } = await bench.coordinator.message("client-1");
      const signal = new AbortController().signal;
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, round) => bench.link.send(route, task(round), { signal })),
      );
      assert.ok(outcomes.every((outcome) => outcome === "taken"));
      const tasks = await peer.heard.some(200, (message) => message.body.case === "task");
      assert.deepEqual(
        tasks.map((message) => message.body.case === "task" && message.body.value.round),
        Array.from({ length: 200 }, (_, round) => round),
      );
    });

    claim("a client that leaves is detached once, and its route is gone", async (bench) => {
      const peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route } = await bench.coordinator.message("client-1");
      await peer[Symbol.asyncDispose]();
      await bench.detached(route);
      const signal = new AbortController().signal;
      assert.equal(await bench.link.send(route, task(1), { signal }), "gone");
      await using other = await bench.dial("client-2");
      await other.ask(hello());
      const detached = bench.coordinator.arrivals.all.filter((arrival) =>
        arrival.kind === "detached"
      );
      assert.equal(detached.length, 1);
    });

    // A broker may bring a goodbye past what it has queued: who must be sure waits for Receipts.
    if (!subject.behindBroker) {
      claim("what a client says last arrives, although it closes at once", async (bench) => {
        const count = 50;
        const peer = await bench.dial("client-1");
        await peer.ask(hello());
        const { route } = await bench.coordinator.message("client-1");
        const sent = Array.from({ length: count }, () => peer.send(heartbeat()));
        await Promise.all(sent);
        using _patient = new ManualTimers(); // on a busy machine closing may take longer than it may
        await peer[Symbol.asyncDispose]();
        const isBeat = (arrival: Arrival) =>
          arrival.kind === "message" && arrival.message.body.case === "heartbeat";
        await bench.detached(route);
        assert.equal(bench.coordinator.arrivals.all.filter(isBeat).length, count);
      });
    }

    claim(
      "a client that vanishes in mid-upload is detached, the others are unharmed",
      async (bench) => {
        await using steady = await bench.dial("steady");
        await steady.ask(hello());
        const peer = await bench.dial("client-1");
        await peer.ask(hello());
        const { route } = await bench.coordinator.message("client-1");
        await peer.ask(part(1, pattern(DEFAULT_PART_BYTES), 0, 2 * DEFAULT_PART_BYTES));
        await peer[Symbol.asyncDispose]();
        await bench.detached(route);
        assert.equal((await steady.ask(heartbeat())).verdict, Verdict.ACCEPTED);
      },
    );

    claim("a dropped route ends the client's connection", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route } = await bench.coordinator.message("client-1");
      bench.link.drop(route, "dropped by the test");
      await peer.connection.lost;
      const signal = new AbortController().signal;
      assert.equal(await bench.link.send(route, task(1), { signal }), "gone");
    });

    const stalls = { ignore: subject.readsAhead !== undefined };
    claim("one stalled reader delays nobody", async (bench) => {
      await using stalled = await bench.dial("stalled", { reading: false });
      await stalled.send(hello());
      const { route } = await bench.coordinator.message("stalled");
      const bytes = pattern(DEFAULT_PART_BYTES);
      // More than all buffers on the way hold.
      const sends = Array.from({ length: 400 }, (_, index) => {
        const abort = new AbortController();
        const outcome = bench.link.send(route, modelPart(index, bytes), { signal: abort.signal });
        return { abort, outcome };
      });
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      const { route: brisk } = await bench.coordinator.message("client-1");
      const model = pattern(8 * MIB);
      assert.deepEqual(await bench.download(peer, brisk, { round: 1, bytes: model }), model);
      assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
      // The last first: what finds its way into a buffer meanwhile comes before it.
      for (const { abort } of sends.toReversed()) abort.abort();
      const settled = await Promise.all(sends.map(({ outcome }) => outcome));
      const firstStalled = settled.indexOf("stalled");
      assert.ok(firstStalled > 0, `nothing stalled: ${new Set(settled)}`);
      assert.ok(settled.slice(firstStalled).every((outcome) => outcome === "stalled"));
    }, stalls);

    claim("garbage bytes do not stop the server", async (bench) => {
      await using peer = await bench.dial("client-1");
      await peer.ask(hello());
      await subject.garbage(new URL(bench.url));
      assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
      await using later = await bench.dial("client-2");
      assert.equal((await later.ask(hello())).verdict, Verdict.ACCEPTED);
    });

    claim("an oversized message is refused, and the server stays healthy", async (bench) => {
      await using large = await bench.dial("large");
      await large.ask(hello());
      const bytes = pattern(server.maxMessageBytes + 1);
      // Whether the client's library notices at once or later is the wire's affair.
      await large.send(part(1, bytes, 0, bytes.length)).catch(() => {});
      await bench.coordinator.events.find((event) => event.kind === "refused");
      assert.ok(
        !bench.coordinator.arrivals.all.some((arrival) =>
          arrival.kind === "message" && arrival.message.body.case === "updatePart"
        ),
      );
      await using peer = await bench.dial("client-1");
      assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
    });

    claim("50 clients are served at once", async (bench) => {
      await using stack = new AsyncDisposableStack();
      const peers = await Promise.all(
        Array.from(
          { length: 50 },
          async (_, index) => stack.use(await bench.dial(`client-${index}`)),
        ),
      );
      const signal = new AbortController().signal;
      await Promise.all(peers.map(async (peer, index) => {
        assert.equal((await peer.ask(hello())).verdict, Verdict.ACCEPTED);
        const { route } = await bench.coordinator.message(peer.clientId);
        assert.equal(await bench.link.send(route, task(index), { signal }), "taken");
        const heard = await peer.heard.find((message) => message.body.case === "task");
        assert.equal(heard.body.case === "task" && heard.body.value.round, index);
      }));
      assert.equal((await bench.link.traffic()).connections, 50);
    });

    claim("stops while sending, and starts again on the same port at once", async (bench) => {
      await using peer = await bench.dial("client-1", { reading: false });
      await peer.send(hello());
      const { route } = await bench.coordinator.message("client-1");
      const bytes = pattern(DEFAULT_PART_BYTES);
      const signal = new AbortController().signal;
      const outcomes = Array.from(
        { length: 400 },
        (_, index) => bench.link.send(route, modelPart(index, bytes), { signal }),
      );
      await bench.link[Symbol.asyncDispose]();
      await bench.link[Symbol.asyncDispose]();
      await bench.link.closed;
      for (const outcome of await Promise.all(outcomes)) assert.ok(outcome !== "stalled");
      peer.read();
      await peer.connection.lost;
      await using again = await Bench.open(subject, place, Number(new URL(bench.url).port));
      assert.equal(new URL(again.url).port, new URL(bench.url).port);
      await using later = await again.dial("client-1");
      assert.equal((await later.ask(hello())).verdict, Verdict.ACCEPTED);
    });

    claim("a port in use is the operator's mistake, in one sentence", async (bench) => {
      await using second = place(subject.own(Number(new URL(bench.url).port)));
      await assert.rejects(
        second.listen(new ScriptedCoordinator()),
        (error: Error) => error.name === "ListenError" && !error.message.includes("\n"),
      );
    });
  }
}

/** A listening protocol server, a scripted coordinator behind it, and clients in front. */
class Bench<Own> implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly #subject: Subject<Own>;
  readonly link: Link;
  url = "";

  private constructor(subject: Subject<Own>, link: Link) {
    this.#subject = subject;
    this.link = link;
  }

  static async open<Own>(
    subject: Subject<Own>,
    place: (own: Own) => Link,
    port?: number,
  ): Promise<Bench<Own>> {
    const bench = new Bench(subject, place(subject.own(port)));
    bench.url = urlOf(await bench.link.listen(bench.coordinator), subject.scheme);
    return bench;
  }

  dial(clientId: string, options?: { reading?: boolean }): Promise<Peer> {
    return Peer.dial(this.#subject.dial, this.url, clientId, options);
  }

  async detached(route: Route): Promise<void> {
    await this.coordinator.arrivals.find((arrival) =>
      arrival.kind === "detached" && arrival.route.id === route.id
    );
  }

  /** Holds a model, downloads it to one peer and gives back what the peer put together. */
  async download(
    peer: Peer,
    route: Route,
    model: { round: number; bytes: Uint8Array<ArrayBuffer> },
  ): Promise<Uint8Array> {
    const { round, bytes } = model;
    await this.link.hold({ round, bytes: bytes.slice().buffer });
    const signal = new AbortController().signal;
    const from = peer.heard.all.length;
    const done = this.link.download(route, { round, offset: 0 }, { signal });
    const held = new Uint8Array(bytes.length);
    for (let offset = 0, next = from;; next++) {
      const message = await peer.heard.find(() => true, next);
      if (message.body.case !== "modelPart") continue;
      const { value } = message.body;
      assert.equal(value.modelRound, round);
      assert.equal(value.totalBytes, BigInt(bytes.length));
      assert.equal(value.offset, BigInt(offset));
      held.set(value.bytes, offset);
      offset += value.bytes.length;
      this.link.acknowledge(route, { round, offset });
      if (offset === bytes.length) break;
    }
    assert.equal(await done, "taken");
    this.link.release(round);
    return held;
  }

  /** Uploads in parts, a window ahead of the receipts, and gives back what the coordinator got. */
  async upload(peer: Peer, taskId: number, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const held = new Uint8Array(bytes.length);
    const { judge } = this.coordinator;
    this.coordinator.judge = (message) => {
      assert.ok(message.body.case === "updatePart");
      const { value } = message.body;
      assert.equal(value.bytes.byteOffset, 0);
      assert.equal(value.bytes.buffer.byteLength, value.bytes.length);
      held.set(value.bytes, Number(value.offset));
      return answer(message.sequence, Verdict.HELD);
    };
    const sequences: number[] = [];
    let offset = 0;
    do {
      const length = Math.min(DEFAULT_PART_BYTES, bytes.length - offset);
      sequences.push(
        await peer.send(
          part(taskId, bytes.subarray(offset, offset + length), offset, bytes.length),
        ),
      );
      offset += length;
      const due = sequences[sequences.length - WINDOW_BYTES / DEFAULT_PART_BYTES];
      if (due !== undefined) await peer.receipt(due);
    } while (offset < bytes.length);
    assert.equal((await peer.receipt(sequences.at(-1) ?? 0)).verdict, Verdict.HELD);
    this.coordinator.judge = judge; // a last will may come yet
    return held;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link[Symbol.asyncDispose]();
  }
}

function part(taskId: number, bytes: Uint8Array, offset: number, totalBytes = bytes.length) {
  return body({
    case: "updatePart",
    value: {
      taskId,
      modelRound: 0,
      uploadId: new Uint8Array(16).fill(taskId),
      samples: 1,
      totalBytes: BigInt(totalBytes),
      offset: BigInt(offset),
      bytes,
    },
  });
}

function modelPart(index: number, bytes: Uint8Array): ServerMessage {
  return serverMessage({
    runId: RUN_ID,
    body: {
      case: "modelPart",
      value: {
        modelRound: 1,
        totalBytes: BigInt(400 * bytes.length),
        offset: BigInt(index * bytes.length),
        bytes,
      },
    },
  });
}

function task(round: number): ServerMessage {
  return serverMessage({
    runId: RUN_ID,
    body: { case: "task", value: { taskId: round, kind: 1, round, modelRound: round } },
  });
}

/** Bytes without a period that a part's length could hide. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = 0x9e3779b9;
  for (let index = 0; index < length; index++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + index | 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
