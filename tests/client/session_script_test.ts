/** The edge client against a server that says what the test wants: what a healthy one never does. */

import assert from "node:assert/strict";
import { ClosingReason, TaskKind, Verdict } from "../../src/contract/federation_pb.ts";
import type { Answer, Route } from "../../src/contract/protocol_server.ts";
import { SessionEnded } from "../../src/client/session.ts";
import { answer } from "../support/scripted_coordinator.ts";
import { join, MODEL, Script, SHA256, withModel } from "./scripted_server.ts";

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
