/** The edge client against a server that says what the test wants: what a healthy one never does. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { serverMessage } from "../../src/contract/codec.ts";
import {
  type ClientMessage,
  ClosingReason,
  TaskKind,
  Verdict,
} from "../../src/contract/federation_pb.ts";
import { PacedServer } from "../../src/contract/paced_server.ts";
import type { Answer, Arrival, Route } from "../../src/contract/protocol_server.ts";
import { Session, SessionEnded, type SessionEvent } from "../../src/client/session.ts";
import { serverOptions } from "../protocols/subject.ts";
import { Awaitable } from "../support/awaitable.ts";
import { weights } from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { answer, RUN_ID, ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { GivenTrainer } from "./given_trainer.ts";

const MODEL = weights([1, 2, 3, 4]);
const SHA256 = new Uint8Array(createHash("sha256").update(MODEL).digest());
const { signal } = new AbortController();

type Case = Exclude<ClientMessage["body"]["case"], undefined>;
type Reply = (message: ClientMessage, route: Route) => Answer | undefined | Promise<Answer>;

/** A server whose script is a reply by message kind; what has none is accepted. */
class Script implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly replies: { [Kind in Case]?: Reply } = {
    hello: (message, at) => this.welcome(message, at),
  };
  readonly #link: PacedServer;
  heartbeatIntervalMs = 20_000;
  url = "";

  private constructor() {
    const server = grpc.make(serverOptions("grpc"), grpc.own());
    this.#link = new PacedServer(server, { runId: RUN_ID, partBytes: 20, windowBytes: 80 });
  }

  static async open(replies: Script["replies"] = {}): Promise<Script> {
    const script = new Script();
    Object.assign(script.replies, replies);
    const { coordinator } = script;
    coordinator.deliver = async (arrival) => {
      coordinator.arrivals.push(arrival);
      if (arrival.kind !== "message") return undefined;
      const { message, route } = arrival;
      const reply = script.replies[message.body.case ?? "heartbeat"];
      const verdict = await reply?.(message, route) ?? answer(message.sequence, Verdict.ACCEPTED);
      return message.sequence === 0 ? undefined : verdict;
    };
    const [address] = await script.#link.listen(coordinator);
    script.url = address?.url ?? "";
    await script.#link.hold({ round: 1, bytes: MODEL.slice().buffer });
    return script;
  }

  say(route: Route, body: Parameters<typeof serverMessage>[0]["body"], runId = RUN_ID): void {
    const message = serverMessage({ runId, ...(body === undefined ? {} : { body }) });
    void this.#link.send(route, message, { signal });
  }

  /** Welcomes whoever says Hello. */
  welcome({ body }: ClientMessage, route: Route, more: { nonce?: Uint8Array } = {}): undefined {
    assert.ok(body.case === "hello");
    const value = {
      session: new Uint8Array(16).fill(3),
      nonce: body.value.nonce,
      round: 1,
      heartbeatIntervalMs: this.heartbeatIntervalMs,
      windowBytes: 80,
      largestPartBytes: 20,
      model: { bytes: BigInt(MODEL.length) },
      ...more,
    };
    this.say(route, { case: "welcome", value });
  }

  download(route: Route): void {
    void this.#link.download(route, { round: 1, offset: 0 }, { signal }).catch(() => {});
  }

  acknowledge(route: Route, offset: bigint): void {
    this.#link.acknowledge(route, { round: 1, offset: Number(offset) });
  }

  drop(route: Route): void {
    this.#link.drop(route, "the script drops it");
  }

  finish(route: Route, modelSha256 = SHA256): void {
    this.say(route, { case: "finish", value: { reason: "done", round: 1, modelSha256 } });
  }

  /** All messages of a kind so far. */
  heard(kind: Case): Extract<Arrival, { kind: "message" }>[] {
    return this.coordinator.arrivals.all.filter((arrival) =>
      arrival.kind === "message" && arrival.message.body.case === kind
    ) as Extract<Arrival, { kind: "message" }>[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }
}

/** A client that joins the script, until its end or that of the scope. */
function join(script: Script, firstMs = 1) {
  const abort = new AbortController();
  const events = new Awaitable<SessionEvent>();
  const trainer = new GivenTrainer(() => MODEL.slice());
  const run = new Session({
    clientId: "a",
    urls: [new URL(script.url)],
    trainer,
    software: "test/1",
    signal: abort.signal,
    observe: (event) => events.push(event),
    backoff: { firstMs, mostMs: firstMs },
  }).run();
  run.catch(() => {});
  return {
    run,
    events,
    trainer,
    async [Symbol.asyncDispose]() {
      abort.abort(new Error("the test is over"));
      await run.catch(() => {});
    },
  };
}

/** Sends the model with Welcome, and passes on what is held of it. */
function withModel(script: Script, then: (route: Route) => void): void {
  script.replies.hello = (message, route) => {
    script.welcome(message, route);
    script.download(route);
    return undefined;
  };
  script.replies.modelHeld = ({ body }, route) => {
    assert.ok(body.case === "modelHeld");
    script.acknowledge(route, body.value.offset);
    if (body.value.sha256.length > 0) then(route);
    return undefined;
  };
}

Deno.test("a session says its nonce again until Welcome, and then a new one on each connection", async () => {
  let isFirst = true;
  await using script = await Script.open({
    hello: (message, route) => {
      if (isFirst) script.drop(route);
      else script.welcome(message, route);
      isFirst = false;
      return undefined as never;
    },
  });
  await using client = join(script);
  for (let welcomes = 0; welcomes < 3; welcomes++) {
    await client.events.some(welcomes + 1, ({ kind }) => kind === "welcomed");
    const last = script.heard("hello").at(-1);
    if (last !== undefined && welcomes < 2) script.drop(last.route);
  }
  const hellos = script.heard("hello").map(({ message: { body } }) =>
    body.case === "hello" ? body.value : assert.fail()
  );
  assert.deepEqual(hellos.map(({ session }) => session.length), [0, 0, 16, 16]);
  const [first, again, ...resumed] = hellos.map(({ nonce }) => nonce.toHex());
  assert.equal(again, first); // else it would open a second session
  assert.equal(new Set([first, ...resumed]).size, 3); // else a late will would end what came after
});

Deno.test("a server that drops a client before Welcome is tried again, after a pause", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.finish(route));
  const welcome = script.replies.hello;
  script.replies.hello = (message, route) => {
    if (script.heard("hello").length > 3) return welcome?.(message, route);
    script.drop(route);
    return undefined;
  };
  await using client = join(script);
  assert.equal((await client.run).round, 1);
  assert.equal(script.heard("hello").length, 4);

  await using shy = await Script.open({
    hello: (_, route) => {
      shy.drop(route);
      return undefined;
    },
  });
  await using patient = join(shy, 1_000_000);
  await patient.events.find((event) => event.kind === "lost");
  await patient[Symbol.asyncDispose]();
  assert.equal(shy.heard("hello").length, 1);
});

Deno.test("a full server is asked again when it says so", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.finish(route));
  const welcome = script.replies.hello;
  script.replies.hello = (message, route) =>
    script.heard("hello").length > 1
      ? welcome?.(message, route)
      : answer(message.sequence, Verdict.BUSY, { retryAfterMs: 1 });
  await using client = join(script);
  await client.run;
  assert.equal(script.heard("hello").length, 2);
});

Deno.test("a Welcome that answers another Hello is dropped", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.finish(route));
  const welcome = script.replies.hello;
  script.replies.hello = (message, route) => {
    script.welcome(message, route, { nonce: new Uint8Array(16) });
    return welcome?.(message, route);
  };
  await using client = join(script);
  await client.run;
  assert.equal(client.events.all.filter((event) => event.kind === "welcomed").length, 1);
});

Deno.test("a model that the server calls damaged is downloaded again", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.finish(route));
  const acknowledge = script.replies.modelHeld;
  let damaged = 0;
  script.replies.modelHeld = (message, route) => {
    assert.ok(message.body.case === "modelHeld");
    if (message.body.value.sha256.length === 0 || ++damaged > 1) {
      return acknowledge?.(message, route);
    }
    script.download(route);
    return answer(message.sequence, Verdict.MALFORMED);
  };
  await using client = join(script);
  assert.deepEqual((await client.run).model, MODEL);
  assert.equal(client.events.all.filter((event) => event.kind === "modelHeld").length, 2);
});

Deno.test("a final model that is not the one announced ends the session", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.finish(route, new Uint8Array(32)));
  await using client = join(script);
  await assert.rejects(client.run, (error) => error instanceof SessionEnded);
  assert.equal(script.heard("leave").length, 0);
});

Deno.test("Finish that is said twice is answered once", async () => {
  await using script = await Script.open();
  withModel(script, (route) => {
    script.finish(route);
    script.finish(route);
  });
  script.replies.leave = (message) =>
    answer(message.sequence, script.heard("leave").length > 1 ? Verdict.NO_SESSION : 1);
  await using client = join(script);
  assert.equal((await client.run).reason, "done");
  assert.equal(script.heard("leave").length, 1);
});

Deno.test("a server that goes before it has judged the last Leave ends nothing but the connection", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.finish(route));
  script.replies.leave = (_, route) => {
    script.say(route, { case: "closing", value: { reason: ClosingReason.RESTART } });
    script.drop(route);
    return Promise.withResolvers<Answer>().promise;
  };
  await using client = join(script);
  assert.deepEqual((await client.run).model, MODEL);
  assert.equal(script.heard("hello").length, 1);
});

Deno.test("a server that has forgotten the session is said Hello to again, without it", async () => {
  await using script = await Script.open();
  withModel(script, (route) => {
    const value = { taskId: 2, kind: TaskKind.TRAIN, round: 2, modelRound: 1 };
    if (script.heard("updatePart").length > 0) script.finish(route);
    else script.say(route, { case: "task", value });
  });
  script.replies.updatePart = (message) =>
    answer(message.sequence, Verdict.NO_SESSION, { detail: "say Hello" });
  await using client = join(script);
  await client.run;
  const sessions = script.heard("hello").map(({ message }) =>
    message.body.case === "hello" ? message.body.value.session.length : -1
  );
  assert.deepEqual(sessions, [0, 0]);
  assert.equal(client.trainer.calls.all.filter((call) => call.kind === "train").length, 1);
});

Deno.test("what another run left behind is dropped", async () => {
  await using script = await Script.open();
  withModel(script, (route) => {
    const value = { taskId: 2, kind: TaskKind.TRAIN, round: 2, modelRound: 1 };
    script.say(route, { case: "task", value }, "another run");
    script.say(route, { case: "finish", value: { round: 1, modelSha256: SHA256 } }, "another run");
    script.finish(route);
  });
  await using client = join(script);
  assert.equal((await client.run).reason, "done");
  assert.deepEqual(client.trainer.calls.all.map((call) => call.kind), ["prepare"]);
});

const TASK = { taskId: 2, kind: TaskKind.TRAIN, round: 2, modelRound: 1 };

Deno.test("a session that its server drops in mid-training resumes, and uploads on the next connection", async () => {
  await using script = await Script.open();
  const routes: Route[] = [];
  withModel(script, (route) => {
    routes.push(route);
    script.say(route, { case: "task", value: TASK });
  });
  const model = script.replies.hello;
  script.replies.hello = (message, route) =>
    routes.length === 0 ? model?.(message, route) : script.welcome(message, route);
  script.replies.updatePart = (message, route) => {
    assert.ok(message.body.case === "updatePart");
    const { offset, bytes, totalBytes } = message.body.value;
    const nextOffset = offset + BigInt(bytes.length);
    if (nextOffset === totalBytes) script.finish(route);
    const verdict = nextOffset === totalBytes ? Verdict.ACCEPTED : Verdict.HELD;
    return answer(message.sequence, verdict, { nextOffset });
  };
  await using client = join(script);
  const trained = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  client.trainer.learn = () => trained.promise;
  await client.trainer.training(2);
  const [first] = routes;
  assert.ok(first);
  script.drop(first);
  await client.events.find((event) => event.kind === "lost");
  await client.events.find((event) => event.kind === "welcomed", client.events.all.length);
  trained.resolve(MODEL.slice());
  await client.run;
  const held = script.heard("hello").map(({ message: { body } }) =>
    body.case === "hello" ? body.value.held?.offset : -1n
  );
  assert.deepEqual(held, [undefined, BigInt(MODEL.length)]);
  assert.ok(script.heard("updatePart").every(({ route }) => route.id !== first.id));
  assert.equal(client.trainer.calls.all.filter((call) => call.kind === "train").length, 1);
});

Deno.test("a session beats while it trains", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.say(route, { case: "task", value: TASK }));
  const beats = Promise.withResolvers<void>();
  script.replies.heartbeat = () => {
    if (script.heard("heartbeat").length === 3) beats.resolve();
    return undefined;
  };
  script.heartbeatIntervalMs = 20;
  await using client = join(script);
  const trained = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  client.trainer.learn = () => trained.promise;
  await client.trainer.training(2);
  await beats.promise;
});

Deno.test("what overtakes Welcome is kept until Welcome comes", async () => {
  await using script = await Script.open();
  script.replies.hello = (message, route) => {
    // On a wire of several streams, a lost packet lets the model and Finish come first.
    script.download(route);
    script.finish(route);
    script.welcome(message, route);
    return undefined;
  };
  script.replies.modelHeld = (message, route) => {
    assert.ok(message.body.case === "modelHeld");
    script.acknowledge(route, message.body.value.offset);
    return undefined;
  };
  await using client = join(script);
  assert.deepEqual((await client.run).model, MODEL);
});
