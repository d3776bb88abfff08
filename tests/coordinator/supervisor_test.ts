import assert from "node:assert/strict";
import { serverMessage } from "../../src/contract/codec.ts";
import { WorkerLink } from "../../src/contract/link.ts";
import { type Link, ListenError, type WireName } from "../../src/contract/protocol_server.ts";
import { type Hub, Supervisor } from "../../src/coordinator/supervisor.ts";
import type { SmallOptions } from "../contract/small_server.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { ScriptedCoordinator } from "../support/scripted_coordinator.ts";

const pacing = { runId: "run", partBytes: 100, windowBytes: 1000 };
const { signal } = new AbortController();

/** What the hub was told, in order. */
class RecordingHub implements Hub {
  readonly told: string[] = [];
  readonly links: Link[] = [];

  async attach(wire: WireName, link: Link) {
    this.links.push(link);
    this.told.push(`attach ${wire}`);
    return await link.listen(new ScriptedCoordinator());
  }

  detach(wire: WireName): void {
    this.told.push(`detach ${wire}`);
  }
}

/** Wires in real Workers, which crash when they are told to. */
class Bench implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly log = new Awaitable<LogLine>();
  readonly hub = new RecordingHub();
  readonly links = new Map<WireName, WorkerLink[]>();
  readonly supervisor: Supervisor;
  readonly #tries = new Map<WireName, number>();

  /** @param scripts By wire: what each of its Workers in turn does; the last one stays. */
  constructor(scripts: { readonly [wire: WireName]: readonly (SmallOptions | Error)[] }) {
    const wires = Object.entries(scripts).map(([wire, script]): [WireName, () => Link] => [
      wire,
      () => this.#make(wire, script),
    ]);
    this.supervisor = new Supervisor({
      hub: this.hub,
      wires: new Map(wires),
      clock: this.clock,
      events: eventsTo(this.log),
      random: () => 0.5,
    });
  }

  #make(wire: WireName, script: readonly (SmallOptions | Error)[]): Link {
    const tries = this.#tries.get(wire) ?? 0;
    this.#tries.set(wire, tries + 1);
    const options = script[Math.min(tries, script.length - 1)] ?? {};
    if (options instanceof Error) throw options;
    const url = new URL("../contract/small_worker.ts", import.meta.url);
    const link = new WorkerLink(new Worker(url, { type: "module" }), options, pacing);
    this.links.set(wire, [...this.links.get(wire) ?? [], link]);
    return link;
  }

  newest(wire: WireName): WorkerLink {
    const link = this.links.get(wire)?.at(-1);
    assert.ok(link);
    return link;
  }

  /** @param how What the Worker is told: an uncaught error of it writes to stderr. */
  async crash(wire: WireName, how = "lose the listener"): Promise<void> {
    const before = this.count("wire down");
    const body = { case: "closing", value: { detail: how } } as const;
    await this.newest(wire).send({ wire, id: 1 }, serverMessage({ body }), { signal });
    await this.log.some(before + 1, (line) => line.message === "wire down");
  }

  count(message: string): number {
    return this.log.all.filter((line) => line.message === message).length;
  }

  /** Lets the wire's pause pass, and waits until it is up again. */
  async restart(delayMs: number): Promise<void> {
    const ups = this.count("wire up");
    this.clock.pass(delayMs);
    await this.log.some(ups + 1, (line) => line.message === "wire up");
  }

  get delays(): unknown[] {
    return this.log.all.filter((line) => line.message === "wire restarting")
      .map((line) => line.fields.delay_ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor[Symbol.asyncDispose]();
  }
}

const REFUSED: SmallOptions = { listen: "is refused" };
const BROKEN: SmallOptions = { listen: "breaks" };

Deno.test("Supervisor.start() resolves once every wire is up", async () => {
  await using bench = new Bench({ one: [{}], two: [{}] });
  assert.equal((await bench.supervisor.start()).length, 2);
  assert.deepEqual(
    bench.supervisor.states().map(({ wire, state, restarts }) => ({
      wire,
      state,
      restarts,
    })),
    [{ wire: "one", state: "up", restarts: 0 }, { wire: "two", state: "up", restarts: 0 }],
  );
});

Deno.test("a start that fails closes all, and throws why", async () => {
  await using bench = new Bench({ one: [{}], two: [REFUSED], three: [{}] });
  await assert.rejects(bench.supervisor.start(), ListenError);
  for (const wire of ["one", "two", "three"]) {
    const link = bench.newest(wire);
    assert.equal(await link.send({ wire, id: 1 }, serverMessage({}), { signal }), "gone");
  }
  assert.ok(bench.hub.told.includes("detach two"));
  assert.equal(bench.clock.timers, 0);
});

Deno.test("a wire that cannot be up yet holds up nobody, and is tried again", async () => {
  await using bench = new Bench({ one: [BROKEN, BROKEN, {}], two: [{}] });
  assert.equal((await bench.supervisor.start()).length, 1);
  const [one, two] = bench.supervisor.states();
  assert.deepEqual([one?.state, two?.state], ["restarting", "up"]);
  assert.match(one?.reason ?? "", /small is broken/);
  bench.clock.pass(188);
  await bench.log.some(2, (line) => line.message === "wire restarting");
  await bench.restart(375);
  const [up] = bench.supervisor.states();
  assert.deepEqual([up?.state, up?.reason], ["up", undefined]);
  assert.equal(bench.log.all.at(-1)?.fields.url, "small://here/default");
});

Deno.test("a Worker that crashes is started again after a pause, and the others do not notice", async () => {
  await using bench = new Bench({ one: [{}], two: [{}] });
  await bench.supervisor.start();
  const other = bench.newest("two");
  const dead = bench.newest("one");
  await bench.crash("one", "crash");
  const [state] = bench.supervisor.states();
  assert.equal(state?.state, "restarting");
  assert.match(state?.reason ?? "", /small crashed/);
  assert.deepEqual(bench.delays, [188]); // three quarters of 250 ms, as random is a half
  assert.equal(bench.newest("one"), dead);
  await bench.restart(188);
  assert.notEqual(bench.newest("one"), dead);
  const [again] = bench.supervisor.states();
  assert.deepEqual([again?.state, again?.reason, again?.restarts], ["up", undefined, 1]);
  assert.equal(bench.newest("two"), other);
  assert.deepEqual(await other.traffic(), { up: 1, down: 2, connections: 3 });
  assert.deepEqual(bench.hub.told, ["attach one", "attach two", "detach one", "attach one"]);
});

Deno.test("the pause doubles up to its cap while the wire stays down", async () => {
  const script = [{}, ...Array.from({ length: 9 }, () => REFUSED), {}];
  await using bench = new Bench({ one: script });
  await bench.supervisor.start();
  await bench.crash("one");
  for (let failures = 1; failures <= 9; failures++) {
    bench.clock.pass(Number(bench.delays.at(-1)));
    await bench.log.some(failures + 1, (line) => line.message === "wire restarting");
  }
  await bench.restart(Number(bench.delays.at(-1)));
  const caps = [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000];
  assert.deepEqual(bench.delays, caps.map((cap) => Math.round(cap * 0.75)));
});

Deno.test("what keeps a new Worker from being made is a failure like any other", async () => {
  await using bench = new Bench({ one: [{}, new Error("no more threads"), {}] });
  await bench.supervisor.start();
  await bench.crash("one");
  bench.clock.pass(188);
  await bench.log.find((line) =>
    line.message === "wire down" && line.fields.reason === "no more threads"
  );
  await bench.restart(375);
});

Deno.test("a wire that was up for long starts with the shortest pause again", async () => {
  await using bench = new Bench({ one: [{}, BROKEN, {}] });
  await bench.supervisor.start();
  await bench.crash("one");
  bench.clock.pass(188);
  await bench.log.some(2, (line) => line.message === "wire restarting");
  await bench.restart(375);
  await bench.crash("one");
  assert.equal(bench.delays.at(-1), 750);
  await bench.restart(750);
  bench.clock.pass(60_000);
  await bench.crash("one");
  assert.equal(bench.delays.at(-1), 188);
});

Deno.test("what a wire carried is not forgotten with its Worker", async () => {
  await using bench = new Bench({ one: [{}] });
  await bench.supervisor.start();
  const traffic = async () => (await bench.supervisor.traffic()).get("one");
  assert.deepEqual(await traffic(), { up: 1, down: 2, connections: 3 });
  await bench.crash("one");
  assert.deepEqual(await traffic(), { up: 1, down: 2, connections: 0 });
  await bench.restart(188);
  assert.deepEqual(await traffic(), { up: 2, down: 4, connections: 3 });
});

Deno.test("a supervisor that is closed while a wire is down starts nothing any more", async () => {
  const bench = new Bench({ one: [{}] });
  await bench.supervisor.start();
  await bench.crash("one");
  await bench[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
  assert.equal(bench.clock.timers, 0);
  assert.equal(bench.links.get("one")?.length, 1);
  assert.equal(bench.supervisor.states()[0]?.state, "closed");
});

Deno.test("a supervisor that is closed while a Worker starts closes that one, too", async () => {
  const bench = new Bench({ one: [{}] });
  await bench.supervisor.start();
  await bench.crash("one");
  bench.clock.pass(188);
  await bench[Symbol.asyncDispose]();
  for (const link of bench.links.get("one") ?? []) await link.closed.catch(() => {});
  assert.equal(bench.clock.timers, 0);
});

Deno.test("a wire's next server is told where clients reached the one before it", async () => {
  const told: (readonly string[] | undefined)[] = [];
  const hub = new RecordingHub();
  const clock = new ManualClock();
  const log = new Awaitable<LogLine>();
  const make = (urls?: readonly string[]) => {
    told.push(urls);
    const url = new URL("../contract/small_worker.ts", import.meta.url);
    return new WorkerLink(new Worker(url, { type: "module" }), {}, pacing);
  };
  const wires = new Map([["one", make]]);
  await using supervisor = new Supervisor({ hub, wires, clock, events: eventsTo(log) });
  const urls = (await supervisor.start()).map(({ url }) => url);
  assert.notEqual(urls.length, 0);
  const body = { case: "closing", value: { detail: "lose the listener" } } as const;
  await hub.links[0]?.send({ wire: "one", id: 1 }, serverMessage({ body }), { signal });
  await log.find(({ message }) => message === "wire down");
  clock.pass(1000);
  await log.some(2, ({ message }) => message === "wire up");
  assert.deepEqual(told, [[], urls]);
});
