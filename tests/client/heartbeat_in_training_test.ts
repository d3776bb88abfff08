/** That training does not hold up the heartbeats, however long one step of it takes. */

import assert from "node:assert/strict";
import { initialModel } from "../../src/client/initial_model.ts";
import { Session, type SessionEvent } from "../../src/client/session.ts";
import { TfjsTrainer } from "../../src/client/tfjs_trainer.ts";
import { serverMessage } from "../../src/contract/codec.ts";
import { TaskKind, Verdict } from "../../src/contract/federation_pb.ts";
import { PacedServer } from "../../src/contract/paced_server.ts";
import { serverOptions } from "../protocols/subject.ts";
import { mqtt } from "../support/mqtt.ts";
import { answer, RUN_ID, ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { SampleFolder } from "./sample_folder.ts";

const SIDE = 64;
const { signal } = new AbortController();

/** Convolutions, which tfjs has in plain JavaScript only where they are trained. */
const TOPOLOGY = {
  type: "application/vnd.tensorflow.layers+json",
  bytes: new TextEncoder().encode(JSON.stringify({
    class_name: "Sequential",
    config: {
      name: "slow",
      layers: [
        layer("Reshape", {
          name: "picture",
          batch_input_shape: [null, SIDE * SIDE],
          target_shape: [SIDE, SIDE, 1],
        }),
        layer("Conv2D", { name: "first", filters: 64, kernel_size: [5, 5], padding: "same" }),
        layer("Conv2D", { name: "second", filters: 64, kernel_size: [5, 5], padding: "same" }),
        layer("GlobalAveragePooling2D", { name: "mean" }),
        layer("Dense", { name: "scores", units: 2, activation: "softmax" }),
      ],
    },
  })),
};

function layer(class_name: string, config: Record<string, unknown>) {
  return { class_name, config };
}

Deno.test("heartbeats go on while one step of a training computes for minutes", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await SampleFolder.open());
  // One batch of 200 samples: about 170 thousand million multiplications there, twice as many back.
  const rows = Array.from(
    { length: 200 },
    (_, row) => [...new Array(SIDE * SIDE).fill(0), row % 2],
  );
  const data = await folder.write("a.csv", rows.map((row) => row.join(",")).join("\n") + "\n");
  const model = await initialModel(TOPOLOGY, 1);
  const server = new PacedServer(mqtt.make(serverOptions("mqtt"), mqtt.own()), {
    runId: RUN_ID,
    partBytes: 1 << 20,
    windowBytes: 1 << 22,
  });
  stack.use(server);
  const coordinator = new ScriptedCoordinator();
  const [address] = await server.listen(coordinator);
  await server.hold({ round: 0, bytes: model.slice().buffer });
  coordinator.judge = (message) => answer(message.sequence, Verdict.ACCEPTED);

  const trainer = stack.use(await TfjsTrainer.open(data));
  const begun = Promise.withResolvers<void>();
  const learn = trainer.train.bind(trainer);
  trainer.train = (...args) => {
    begun.resolve();
    return learn(...args);
  };
  const events: SessionEvent[] = [];
  const leave = new AbortController();
  const session = new Session({
    clientId: "a",
    urls: [new URL(address?.url ?? "")],
    trainer,
    software: "test/1",
    signal: leave.signal,
    observe: (event) => events.push(event),
  });
  const run = session.run();
  stack.defer(async () => {
    leave.abort();
    await run.catch(() => {});
  });
  const { route, message } = await coordinator.message("a", ({ body }) => body.case === "hello");
  assert.ok(message.body.case === "hello");
  const say = (body: Parameters<typeof serverMessage>[0]["body"] & object) =>
    server.send(route, serverMessage({ runId: RUN_ID, body }), { signal });
  await say({
    case: "welcome",
    value: {
      session: new Uint8Array(16).fill(3),
      nonce: message.body.value.nonce,
      heartbeatIntervalMs: 500,
      windowBytes: 1 << 22,
      largestPartBytes: 1 << 20,
      model: { bytes: BigInt(model.length), topology: TOPOLOGY.bytes, topologyType: TOPOLOGY.type },
    },
  });
  void server.download(route, { round: 0, offset: 0 }, { signal }).catch(() => {});
  const task = {
    taskId: 2,
    kind: TaskKind.TRAIN,
    round: 1,
    modelRound: 0,
    settings: { batch_size: 200 },
  };
  await say({ case: "task", value: task });
  await begun.promise;
  const from = coordinator.arrivals.all.length;
  await fourBeats(coordinator, from);
  assert.deepEqual(events.map(({ kind }) => kind).filter((kind) => kind !== "modelPart"), [
    "welcomed",
    "modelHeld",
  ]);
});

async function fourBeats(coordinator: ScriptedCoordinator, from: number): Promise<void> {
  for (let beats = 0, next = from; beats < 4; beats++) {
    const beat = await coordinator.arrivals.find(
      (arrival) => arrival.kind === "message" && arrival.message.body.case === "heartbeat",
      next,
    );
    next = coordinator.arrivals.all.indexOf(beat, next) + 1;
  }
}
