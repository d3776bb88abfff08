/** The edge client where its session is interrupted at a bad moment: nothing hangs, leaks or counts wrongly. */

import assert from "node:assert/strict";
import { ClosingReason, TaskKind, UpdateKind, Verdict } from "../../src/contract/federation_pb.ts";
import { SessionEnded } from "../../src/client/session.ts";
import type { FinishedRun, Keeping, Kept, KeptSession } from "../../src/client/kept.ts";
import type { Update } from "../../src/client/upload.ts";
import { answer, RUN_ID } from "../support/scripted_coordinator.ts";
import { held } from "./given_trainer.ts";
import { join, MODEL, Script, SHA256, withModel } from "./scripted_server.ts";

const TASK = { taskId: 2, kind: TaskKind.TRAIN, round: 2, modelRound: 1 };

Deno.test("a session that is stopped between two connections stops its training, too", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.say(route, { case: "task", value: TASK }));
  await using client = join(script, 1_000_000);
  client.trainer.learn = (_model, _task, signal) => held(signal, new Promise(() => {}));
  const { signal } = await client.trainer.training(2);
  const [hello] = script.heard("hello");
  script.drop(hello?.route ?? assert.fail());
  await client.events.find((event) => event.kind === "lost");
  client.abort();
  await assert.rejects(client.run, { message: "the test stops it" });
  assert.ok(signal?.aborted);
});

Deno.test("a session that is told before Welcome to come again does so at once", async () => {
  await using script = await Script.open();
  withModel(script, (route) => script.finish(route));
  const welcome = script.replies.hello;
  script.replies.hello = (message, route) => {
    if (script.heard("hello").length > 1) return welcome?.(message, route);
    // As behind a broker, where nobody but the client can end its connection.
    const value = {
      reason: ClosingReason.RESTART,
      detail: "all places are taken",
      retryAfterMs: 1,
    };
    script.say(route, { case: "closing", value }, "");
    return new Promise(() => {});
  };
  await using client = join(script);
  await client.run;
  assert.equal(script.heard("hello").length, 2);
  assert.ok(!client.events.all.some(({ kind }) => kind === "lost"));
});

Deno.test("a session that is refused by a Closing before Welcome ends with its reason", async () => {
  await using script = await Script.open({
    hello: (_message, route) => {
      const value = { reason: ClosingReason.REFUSED, detail: "the message has too many bytes" };
      script.say(route, { case: "closing", value }, "");
      return new Promise(() => {});
    },
  });
  await using client = join(script);
  await assert.rejects(client.run, (error) => {
    return error instanceof SessionEnded && /too many bytes/.test(error.message);
  });
});

/** Keeps nothing, and tells which updates it is given. */
function keepingOf(update: (update: Update | undefined) => void): Keeping {
  return {
    session: () => {},
    model: () => {},
    update: (_runId, given) => Promise.resolve(update(given)),
    finished: () => {},
  };
}

/** What an earlier process has left: the model, and an update that was trained from it. */
function left(modelRound: number): Kept {
  const bytes = MODEL.slice();
  const update: Update = {
    taskId: TASK.taskId,
    modelRound,
    uploadId: new Uint8Array(16).fill(7),
    kind: UpdateKind.WEIGHTS,
    samples: 10,
    metrics: {},
    bytes: MODEL.slice(),
    heldBytes: undefined,
  };
  const sha256 = SHA256.slice();
  return {
    runId: RUN_ID,
    session: new Uint8Array(16).fill(3),
    model: { round: modelRound, bytes, sha256 },
    update,
  };
}

/** Judges parts of an update, and ends the run with the last one. */
function taking(script: Script): void {
  script.replies.updatePart = ({ sequence, body }, route) => {
    assert.ok(body.case === "updatePart");
    const { offset, bytes, totalBytes } = body.value;
    const nextOffset = offset + BigInt(bytes.length);
    if (nextOffset === totalBytes) script.finish(route);
    const verdict = nextOffset === totalBytes ? Verdict.ACCEPTED : Verdict.HELD;
    return answer(sequence, verdict, { nextOffset });
  };
}

function uploadIds(script: Script): Set<string> {
  const parts = script.heard("updatePart").map(({ message: { body } }) =>
    body.case === "updatePart" ? body.value.uploadId.toHex() : assert.fail()
  );
  return new Set(parts);
}

Deno.test("a session uploads nothing that was trained from a model which its server has given up", async () => {
  await using script = await Script.open();
  taking(script);
  let judged = 0;
  script.replies.hello = (message, route) => {
    assert.ok(message.body.case === "hello");
    if (message.body.value.session.length > 0) return answer(message.sequence, Verdict.NO_SESSION);
    script.welcome(message, route);
    script.say(route, { case: "task", value: TASK });
    return undefined;
  };
  script.replies.modelHeld = ({ sequence, body }, route) => {
    assert.ok(body.case === "modelHeld");
    script.acknowledge(route, body.value.offset);
    if (judged++ > 0) return undefined;
    script.download(route);
    return answer(sequence, Verdict.MALFORMED);
  };
  await using client = join(script, 1, { kept: left(1) });
  await client.run;
  assert.equal(client.trainer.calls.all.filter(({ kind }) => kind === "train").length, 1);
  assert.ok(!uploadIds(script).has("07".repeat(16)));
});

Deno.test("a session forgets an update of a model that is newer than any its server has", async () => {
  await using script = await Script.open();
  taking(script);
  const kept: (Update | undefined)[] = [];
  const keeping = keepingOf((update) => kept.push(update));
  script.replies.hello = (message, route) => {
    assert.ok(message.body.case === "hello");
    if (message.body.value.session.length > 0) return answer(message.sequence, Verdict.NO_SESSION);
    script.welcome(message, route);
    script.finish(route);
    script.download(route);
    return undefined;
  };
  await using client = join(script, 1, { kept: left(2), keeping });
  await client.run;
  assert.deepEqual(kept, [undefined]);
});

Deno.test("a session goes on with its update where only the session was forgotten", async () => {
  await using script = await Script.open();
  taking(script);
  const kept: (Update | undefined)[] = [];
  const keeping = keepingOf((update) => kept.push(update));
  script.replies.hello = (message, route) => {
    script.welcome(message, route);
    script.say(route, { case: "task", value: TASK });
    return undefined;
  };
  const judge = script.replies.updatePart;
  script.replies.updatePart = (message, route) =>
    script.heard("hello").length > 1
      ? judge?.(message, route)
      : answer(message.sequence, Verdict.NO_SESSION);
  await using client = join(script, 1, { kept: left(1), keeping });
  await client.run;
  assert.deepEqual([...uploadIds(script)], ["07".repeat(16)]);
  assert.deepEqual(kept, [undefined]); // and not before it was judged
  const verdicts = client.events.all.flatMap((event) =>
    event.kind === "uploaded" ? [Verdict[event.verdict]] : []
  );
  assert.deepEqual(verdicts, ["ACCEPTED"]);
});

Deno.test("a session whose training ends between two connections uploads after Welcome", async () => {
  await using script = await Script.open();
  taking(script);
  withModel(script, (route) => script.say(route, { case: "task", value: TASK }));
  const model = script.replies.hello;
  await using client = join(script);
  const trained = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
  client.trainer.learn = () => trained.promise;
  await client.trainer.training(2);
  script.replies.hello = async (message, route) => {
    if (script.heard("hello").length > 2) return await model?.(message, route) as never;
    trained.resolve(MODEL.slice());
    await client.events.find((event) => event.kind === "trained");
    return answer(message.sequence, Verdict.BUSY, { retryAfterMs: 1 });
  };
  const [hello] = script.heard("hello");
  script.drop(hello?.route ?? assert.fail());
  await client.run;
  const welcomed = script.heard("hello").at(-1)?.route.id;
  assert.ok(script.heard("updatePart").every(({ route }) => route.id === welcomed));
});

Deno.test("a session that another client took, and that was not told so, ends at its next heartbeat", async () => {
  await using script = await Script.open();
  script.heartbeatIntervalMs = 20;
  script.replies.heartbeat = ({ sequence }) => answer(sequence, Verdict.UNAUTHORISED);
  const welcome = script.replies.hello;
  script.replies.hello = (message, route) =>
    script.heard("hello").length === 1
      ? welcome?.(message, route)
      : answer(message.sequence, Verdict.UNAUTHORISED, { detail: "another client joined as a" });
  await using client = join(script);
  await assert.rejects(client.run, (error) => {
    return error instanceof SessionEnded && /another client joined as a/.test(error.message);
  });
});

Deno.test("a session that is refused before it began keeps what it knows of a run that is over", async () => {
  const sessions: string[] = [];
  const keeping = {
    ...keepingOf(() => {}),
    session: ({ runId }: KeptSession) => sessions.push(runId),
  };
  await using script = await Script.open({
    hello: ({ sequence }) =>
      answer(sequence, Verdict.UNAUTHORISED, { detail: "the token expired" }),
  });
  const finished: FinishedRun = { runId: RUN_ID, modelSha256: SHA256 };
  await using client = join(script, 1, { keeping, finished });
  await assert.rejects(client.run, SessionEnded);
  assert.deepEqual(sessions, []);
});
