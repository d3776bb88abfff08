import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type Task, TaskKind, TaskSchema } from "../../src/contract/federation_pb.ts";
import { Tasks } from "../../src/client/tasks.ts";

function task(taskId: number, modelRound: number, kind = TaskKind.TRAIN): Task {
  return create(TaskSchema, { taskId, kind, modelRound, round: modelRound + 1 });
}

/** Tasks, and each piece of work on them until the test ends it. */
function open() {
  const tasks = new Tasks();
  const works: { task: Task; signal: AbortSignal; end: (done: boolean) => Promise<void> }[] = [];
  const start = (modelRound: number) =>
    tasks.start(modelRound, (task, signal) => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const end = async (done: boolean) => {
        resolve(done);
        await turn();
      };
      works.push({ task, signal, end });
      return promise;
    });
  const ids = () => works.map((work) => work.task.taskId);
  return { tasks, works, start, ids };
}

Deno.test("a task is started once its model is there, and once only", () => {
  const { tasks, start, ids } = open();
  tasks.take(task(2, 1));
  start(0);
  assert.deepEqual(ids(), []);
  start(1);
  start(1);
  assert.deepEqual(ids(), [2]);
  tasks.take(task(2, 1)); // told again
  start(1);
  assert.deepEqual(ids(), [2]);
});

Deno.test("tasks of different kinds go on side by side", () => {
  const { tasks, start, ids } = open();
  tasks.take(task(4, 1));
  tasks.take(task(3, 1, TaskKind.EVALUATE));
  start(1);
  assert.deepEqual(ids(), [4, 3]);
});

Deno.test("a newer task of a kind takes the place of the older one", () => {
  const { tasks, start, works, ids } = open();
  tasks.take(task(2, 0));
  start(0);
  tasks.take(task(4, 0));
  start(0);
  assert.deepEqual(ids(), [2, 4]);
  assert.deepEqual(works.map((work) => work.signal.aborted), [true, false]);
});

Deno.test("a task that is done is not started again, also if it was told again meanwhile", async () => {
  const { tasks, start, works, ids } = open();
  tasks.take(task(2, 0));
  start(0);
  tasks.take(task(2, 0));
  await works[0]?.end(true);
  start(0);
  assert.deepEqual(ids(), [2]);
});

Deno.test("a task that is not done is started again", async () => {
  const { tasks, start, works, ids } = open();
  tasks.take(task(2, 0));
  start(0);
  await works[0]?.end(false);
  start(0);
  assert.deepEqual(ids(), [2, 2]);
});

Deno.test("work for a round that has closed is ended, and no other", () => {
  const { tasks, start, works, ids } = open();
  tasks.take(task(2, 0));
  tasks.take(task(1, 0, TaskKind.EVALUATE));
  start(0);
  tasks.dropStale(0);
  assert.deepEqual(works.map((work) => work.signal.aborted), [false, false]);
  tasks.dropStale(1);
  assert.deepEqual(works.map((work) => work.signal.aborted), [true, false]);
  start(0);
  assert.deepEqual(ids(), [2, 1]);
});

Deno.test("what is ended begins again when it is started, with the same task id", async () => {
  const { tasks, start, works, ids } = open();
  tasks.take(task(2, 0));
  start(0);
  tasks.abort(new Error("stop"));
  assert.equal(works[0]?.signal.reason.message, "stop");
  start(0);
  assert.deepEqual(ids(), [2, 2]);
  // The older work winds down late, and takes nothing of the newer one away.
  await works[0]?.end(false);
  start(0);
  assert.deepEqual(ids(), [2, 2]);
  assert.equal(works[1]?.signal.aborted, false);
});

Deno.test("the same task id in another run is another task", async () => {
  const { tasks, start, works, ids } = open();
  tasks.take(task(2, 0));
  start(0);
  tasks.clear();
  start(0);
  assert.deepEqual(ids(), [2]);
  tasks.take(task(2, 0));
  // The work on the former one ends only now.
  await works[0]?.end(true);
  start(0);
  assert.deepEqual(ids(), [2, 2]);
  assert.deepEqual(works.map((work) => work.signal.aborted), [true, false]);
});
