/** A client whose process ended in the midst of its work, and another one on the same directory. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Part } from "../../src/vault/vault.ts";
import { Federation, PART_BYTES, weights } from "../support/federation.ts";
import { valuesOf } from "../support/member.ts";
import { mqtt } from "../support/mqtt.ts";
import { Program } from "../support/program.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { EdgeNode } from "./edge_node.ts";

/** Weights of several windows, of which the first are named. */
function large(values: readonly number[]): Uint8Array<ArrayBuffer> {
  return weights([...values, ...new Array(20 * PART_BYTES).fill(0.25)]);
}

/**
 * A federation whose vault takes so many parts of a's update, and the next one when it is told.
 * @param clients That a round waits for.
 */
async function openHalting(
  parts: Part[],
  { taken, clients = 1 }: { taken: number; clients?: number },
) {
  const halted = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const federation = await Federation.open({
    subjects: [mqtt],
    placement: "in process",
    plan: { minClients: clients },
    model: large([0, 0, 0, 0]),
    vault: (calls) => ({
      ...calls,
      part: async (part) => {
        if (part.client !== "a") return await calls.part(part);
        parts.push(part);
        if (parts.length > taken) {
          halted.resolve();
          await goOn.promise;
        }
        return await calls.part(part);
      },
    }),
  });
  return { federation, halted: halted.promise, goOn: () => goOn.resolve() };
}

Deno.test("join killed in mid-upload goes on with the same upload, at the offset held, untrained", async () => {
  using directory = new StateDirectory();
  const parts: Part[] = [];
  const { federation, halted, goOn } = await openHalting(parts, { taken: 20 });
  await using _ = federation;
  const script = join(directory.path, "program.sh");
  const log = join(directory.path, "trainings");
  await Deno.writeTextFile(
    script,
    `echo "$1" >> '${log}'; cp "$TRIBUTARY_MODEL" "$TRIBUTARY_OUT"\n`,
  );
  const args = ["join", federation.url(), "--once", "--id", "a", "--log-level", "debug"];
  const own = ["--exec", `sh '${script}'`, "--samples", "10", "--state", "node"];
  await using first = new Program([...args, ...own], directory.path);
  await halted;
  first.kill("SIGKILL");
  await first.ended();
  const before = parts.length;
  goOn();
  await using second = new Program([...args, ...own], directory.path);
  const { code, stderr } = await second.ended();
  assert.equal(code, 0, stderr);
  assert.equal((await federation.coordinator.finished).rounds, 1);
  const trainings = (await Deno.readTextFile(log)).trimEnd().split("\n");
  assert.equal(trainings.length, 1);
  assert.equal(federation.log.all.filter(({ message }) => message === "update accepted").length, 1);
  assert.equal(federation.coordinator.history[0]?.clients.length, 1);
  assert.equal(new Set(parts.map(({ uploadId }) => uploadId)).size, 1);
  assert.equal(parts.filter(({ offset }) => offset === 0).length, 1);
  // It asks by what cannot follow yet, and is told.
  const [asked, next] = parts.slice(before);
  assert.equal(asked?.offset, (asked?.totalBytes ?? 0) - 1);
  assert.ok(next !== undefined && next.offset >= 20 * PART_BYTES, `${next?.offset}`);
  // It holds the model, and gets the final one.
  assert.deepEqual(stderr.match(/model held {2}round=\d/g), ["model held  round=1"]);
});

Deno.test("join refuses a state directory that another one has open, in one sentence, with 2", async () => {
  using directory = new StateDirectory();
  await using federation = await Federation.open({
    subjects: [mqtt],
    placement: "in process",
    plan: { minClients: 2 },
  });
  const args = ["join", federation.url(), "--exec", "true", "--samples", "1", "--state", "node"];
  await using first = new Program(args, directory.path);
  await first.logs(/welcomed/);
  await using second = new Program(args, directory.path);
  const { code, stderr } = await second.ended();
  assert.equal(code, 2);
  assert.equal(
    stderr.trimEnd(),
    "error: --state: node is in use by another client; give each one a directory of its own",
  );
});

Deno.test("a client that was stopped in mid-upload joins anew, and trains and downloads nothing again", async () => {
  using directory = new StateDirectory();
  const parts: Part[] = [];
  const { federation, halted, goOn } = await openHalting(parts, { taken: 10, clients: 2 });
  await using _ = federation;
  await using other = await federation.join("b");
  {
    const { url, state } = { url: federation.url(), state: directory.path };
    await using node = new EdgeNode({ url, state, learn: () => large([1, 2, 3, 4]) });
    await halted;
    node.stop();
    goOn();
  }
  // The round goes on with b, and so its task is still to be had.
  await federation.logged("client left", { client: "a", reason: "shutting_down" });
  await using node = new EdgeNode({
    url: federation.url(),
    state: directory.path,
    once: true,
  });
  await node.event("uploaded");
  await other.update(await other.task(1), large([3, 4, 5, 6]), { samples: 10 });
  await other.confirm();
  await node.run;
  const model = valuesOf(node.finals.all[0]?.model ?? assert.fail());
  assert.deepEqual(model.slice(0, 4), [2, 3, 4, 5]);
  assert.equal(node.trainings, 0);
  assert.equal(new Set(parts.map(({ uploadId }) => uploadId)).size, 1);
  const held = node.events.all.filter((event) => event.kind === "modelHeld");
  assert.deepEqual(held.map(({ round }) => round), [1]);
  assert.deepEqual(node.reports, []);
});

Deno.test("a client whose update is damaged says so, trains again, and is counted once", async () => {
  using directory = new StateDirectory();
  const parts: Part[] = [];
  const { federation, halted, goOn } = await openHalting(parts, { taken: 10, clients: 2 });
  await using _ = federation;
  await using other = await federation.join("b");
  const spec = {
    url: federation.url(),
    state: directory.path,
    learn: () => large([1, 2, 3, 4]),
  };
  {
    await using node = new EdgeNode(spec);
    await halted;
    node.stop();
    goOn();
  }
  const file = join(directory.path, "update.tributary");
  await Deno.truncate(file, 1000);
  await using node = new EdgeNode({ ...spec, once: true });
  await node.event("uploaded");
  await other.update(await other.task(1), large([1, 2, 3, 4]));
  await other.confirm();
  await node.run;
  assert.deepEqual(node.reports, [`${file} is cut short, or goes on; it is left out`]);
  assert.equal(node.trainings, 1);
  assert.equal(new Set(parts.map(({ uploadId }) => uploadId)).size, 2);
  const accepted = federation.log.all.filter(({ message }) => message === "update accepted");
  assert.deepEqual(accepted.map(({ fields }) => fields.client), ["a", "b"]);
});

Deno.test("a client with the state of another run of the server takes part in this one", async () => {
  using directory = new StateDirectory();
  const learn = () => weights([1, 2, 3, 4]);
  {
    await using earlier = await Federation.open({ subjects: [mqtt], plan: { minClients: 2 } });
    await using node = new EdgeNode({ url: earlier.url(), state: directory.path, learn });
    await node.event("modelHeld");
  }
  await using federation = await Federation.open({
    subjects: [mqtt],
    model: weights([5, 5, 5, 5]),
  });
  await using node = new EdgeNode({
    url: federation.url(),
    state: directory.path,
    learn: (model) => model.slice(),
    once: true,
  });
  await node.run;
  assert.deepEqual(valuesOf(node.finals.all[0]?.model ?? assert.fail()), [5, 5, 5, 5]);
  assert.deepEqual(node.reports, []);
});
