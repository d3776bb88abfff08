/** A session with two wires to a real server, whose quality changes while it takes part. */

import assert from "node:assert/strict";
import { Session, type SessionEvent } from "../../src/client/session.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { Part } from "../../src/vault/vault.ts";
import { Awaitable } from "../support/awaitable.ts";
import {
  Federation,
  type FederationSpec,
  GRACE_MS,
  PART_BYTES,
  weights,
} from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { mqtt } from "../support/mqtt.ts";
import { type Quality, SlowRelay } from "../support/slow_relay.ts";
import { GivenTrainer } from "./given_trainer.ts";

type Chosen = Extract<SessionEvent, { kind: "wireChosen" }>;

const MODEL = weights(new Array(3840).fill(0.25)); // 15 KiB
/** A round over the second wire takes about 0.6 s: far more than over the first, */
const MEDIOCRE = { bytesPerSecond: 50_000 };
/** and ten times less than over the first when that is bad. */
const SLOW = { bytesPerSecond: 5000 };
/** A trial does not bring the model in the time it has. */
const STUCK = { bytesPerSecond: 1000 };

async function open(more: Partial<FederationSpec> = {}): Promise<Federation> {
  return await Federation.open({
    subjects: [grpc, mqtt],
    placement: "in process",
    plan: { rounds: 1000 },
    model: MODEL.slice(),
    limits: { windowBytes: 4 * PART_BYTES }, // an upload does not go off all at once
    ...more,
  });
}

function isChoice(event: SessionEvent, choices: readonly Chosen["choice"][]): boolean {
  return event.kind === "wireChosen" && choices.includes(event.choice);
}

/** A client with the first wire of a federation and its second, mediocre one. */
class TwoWires implements AsyncDisposable {
  readonly events = new Awaitable<SessionEvent>();
  readonly first: SlowRelay;
  readonly second: SlowRelay;
  readonly #run: Promise<unknown>;
  readonly #abort = new AbortController();

  constructor(
    federation: Federation,
    { wires: [first, second] = ["grpc", "mqtt"], quality = {} }: {
      wires?: readonly [string, string];
      quality?: Quality;
    } = {},
  ) {
    this.first = new SlowRelay(federation.url(first), quality);
    this.second = new SlowRelay(federation.url(second), MEDIOCRE);
    const session = new Session({
      clientId: "a",
      urls: [new URL(this.first.url), new URL(this.second.url)],
      trainer: new GivenTrainer(() => MODEL.slice()),
      software: "test/1",
      signal: this.#abort.signal,
      observe: (event) => this.events.push(event),
      backoff: { firstMs: 1, mostMs: 10 },
      random: () => 0, // what may be tried is tried
    });
    this.#run = session.run().then(
      () => this.events.end("the run has ended"),
      (error) => this.events.end(`the session has ended: ${error}`),
    );
  }

  /** The next choice of one of these kinds. */
  async chooses(...choices: readonly Chosen["choice"][]): Promise<Chosen> {
    const from = this.events.all.length;
    return await this.events.find((event) => isChoice(event, choices), from) as Chosen;
  }

  /** The first wire is taken to stay on it: after a trial, or for what the trials have shown. */
  async comesBack(): Promise<void> {
    assert.equal((await this.chooses("keep", "move")).url, this.first.url);
    assert.equal((await this.chooses("stay")).url, this.first.url);
  }

  /** The events of one kind, in their order. */
  all<Kind extends SessionEvent["kind"]>(kind: Kind): Extract<SessionEvent, { kind: Kind }>[] {
    return this.events.all.filter((event) => event.kind === kind) as never;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error("the test is over"));
    await this.#run;
    await this.first[Symbol.asyncDispose]();
    await this.second[Symbol.asyncDispose]();
  }
}

/** Every round counted one update, and every model came once. */
function assertNothingLost(federation: Federation, client: TwoWires): void {
  const accepted = federation.log.all.filter(({ message }) => message === "update accepted")
    .map(({ fields }) => Number(fields["round"]));
  assert.deepEqual(accepted, [...accepted.keys()].map((index) => index + 1));
  const bytes = new Map<number, number>();
  for (const part of client.all("modelPart")) {
    bytes.set(part.round, (bytes.get(part.round) ?? 0) + part.bytes);
  }
  for (const [round, came] of bytes) {
    assert.ok(came < 2 * MODEL.length, `model ${round} came with ${came} bytes`);
  }
}

Deno.test("a session leaves a wire that becomes slow between two rounds, and comes back when it recovers", async () => {
  await using federation = await open();
  await using client = new TwoWires(federation);
  const { first, second } = client;
  assert.equal((await client.chooses("try")).url, second.url);
  assert.equal((await client.chooses("return")).url, first.url);

  first.quality = SLOW;
  const moved = await client.chooses("move");
  assert.equal(moved.url, second.url);
  const [slow, mediocre] = moved.wires;
  assert.ok((slow?.costSeconds ?? 0) > 1.5 * (mediocre?.costSeconds ?? Infinity), moved.reason);

  first.quality = STUCK;
  const returned = await client.chooses("return");
  assert.deepEqual([returned.url, returned.reason], [second.url, "the trial takes too long"]);

  first.quality = {};
  await client.comesBack();
  // Each connection but that of the trial which took too long was left between two rounds.
  const deeds = ["training", "trained", "uploaded", "welcomed", "lost"];
  const done = client.events.all.map(({ kind }) => kind).filter((kind) => deeds.includes(kind));
  assert.ok(!done.includes("lost"));
  const uploaded = done.flatMap((kind, index) => kind === "uploaded" ? [done[index - 1]] : []);
  assert.ok(uploaded.filter((before) => before !== "trained").length <= 1, uploaded.join(" "));
  assert.ok(done.every((kind, index) => kind !== "trained" || done[index - 1] === "training"));
  assertNothingLost(federation, client);
});

Deno.test("a session falls back at once when its wire is cut in mid-upload, and comes back to it later", async () => {
  const parts: Part[] = [];
  const cutting = { round: Infinity };
  await using federation = await open({
    vault: (calls) => ({
      ...calls,
      part: (part) => {
        parts.push(part);
        if (part.round >= cutting.round && part.offset > MODEL.length / 2) {
          cutting.round = Infinity;
          client.first.quality = { cutAfterBytes: 4096 };
          client.first.cut();
        }
        return calls.part(part);
      },
    }),
  });
  await using client = new TwoWires(federation);
  const { first, second } = client;
  assert.equal((await client.chooses("return")).url, first.url);

  cutting.round = 0; // the next one
  const fallen = await client.chooses("fallBack");
  assert.equal(fallen.url, second.url);
  const from = client.events.all.indexOf(fallen);
  const next = await client.events.find((event) => event.kind === "uploaded", from);
  assert.ok(next.kind === "uploaded" && next.verdict === Verdict.ACCEPTED);
  const upload = parts.filter((part) => part.round === next.round);
  assert.equal(new Set(upload.map((part) => part.uploadId)).size, 1); // it went on where it was
  assert.equal(upload.filter((part) => part.offset === 0).length, 1);

  assert.equal((await client.chooses("try")).url, first.url);
  assert.equal((await client.chooses("fallBack")).url, second.url); // the trial is cut, too
  first.quality = {};
  await client.comesBack();
  assertNothingLost(federation, client);
});

Deno.test("a session whose wire is too slow for any round leaves it, too", async () => {
  await using federation = await open({ plan: { rounds: 1000, minClients: 2, quorum: 0.5 } });
  await using client = new TwoWires(federation, {
    wires: ["mqtt", "grpc"], // gRPC's library leaves timers behind where a call is given up
    quality: STUCK,
  });
  await using stack = new AsyncDisposableStack();
  const quick = stack.use(await federation.join("quick", { wire: "mqtt" }));
  const trial = () => client.events.all.findIndex((event) => isChoice(event, ["try"]));
  for (let round = 1; trial() < 0; round++) {
    const task = await quick.task(round);
    await quick.update(task, MODEL, { samples: 10, partBytes: PART_BYTES });
    // The client has begun with this round's model.
    await client.events.find((event) => event.kind === "modelPart" && event.round === round - 1);
    federation.clock.pass(GRACE_MS);
    await client.events.find((event) => event.kind === "roundClosed" && event.round === round);
  }
  const first = await client.events.find((event) => event.kind === "uploaded", trial());
  assert.ok(first.kind === "uploaded" && first.verdict === Verdict.ACCEPTED);
  assert.equal(client.all("uploaded").length, 1);
});

Deno.test("a session with one wire chooses nothing", async () => {
  await using federation = await open({ plan: { rounds: 12 } });
  const events: SessionEvent[] = [];
  const session = new Session({
    clientId: "a",
    urls: [new URL(federation.url())],
    trainer: new GivenTrainer(() => MODEL.slice()),
    software: "test/1",
    signal: new AbortController().signal,
    observe: (event) => events.push(event),
    random: () => 0,
  });
  await session.run();
  assert.deepEqual(events.filter(({ kind }) => kind === "wireChosen" || kind === "lost"), []);
  assert.equal(events.filter(({ kind }) => kind === "welcomed").length, 1);
});

Deno.test("a session whose other wire answers nobody goes on as if it had one", async () => {
  await using federation = await open({ plan: { rounds: 12 } });
  using unused = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const deserted = `mqtt://127.0.0.1:${unused.addr.port}/default`;
  unused.close();
  const events: SessionEvent[] = [];
  const session = new Session({
    clientId: "a",
    urls: [new URL(federation.url()), new URL(deserted)],
    trainer: new GivenTrainer(() => MODEL.slice()),
    software: "test/1",
    signal: new AbortController().signal,
    observe: (event) => events.push(event),
    random: () => 0,
  });
  assert.equal((await session.run()).round, 12);
  const chosen = events.filter((event) => event.kind === "wireChosen");
  const kept = chosen.filter(({ choice }) => choice === "keep");
  assert.equal(kept.length, 2); // after two rounds, and four more; the next time is after eight
  assert.match(kept[0]?.reason ?? "", /^the other gave no connection: .*ECONNREFUSED/);
  assert.ok(kept.every(({ url }) => url === federation.url()));
  assert.equal(events.filter(({ kind }) => kind === "welcomed").length, 1);
});

Deno.test("a session moves between two addresses of one wire, where the newer connection ends the older", async () => {
  await using federation = await open({ subjects: [mqtt], plan: { rounds: 12 } });
  await using relay = new SlowRelay(federation.url());
  const events: SessionEvent[] = [];
  const session = new Session({
    clientId: "a",
    urls: [new URL(federation.url()), new URL(relay.url)],
    trainer: new GivenTrainer(() => MODEL.slice()),
    software: "test/1",
    signal: new AbortController().signal,
    observe: (event) => events.push(event),
    random: () => 0,
  });
  assert.equal((await session.run()).round, 12);
  assert.ok(events.some((event) => event.kind === "wireChosen" && event.choice === "try"));
  assert.equal(events.filter(({ kind }) => kind === "lost").length, 0);
  const accepted = federation.log.all.filter(({ message }) => message === "update accepted");
  assert.equal(accepted.length, 12);
});
