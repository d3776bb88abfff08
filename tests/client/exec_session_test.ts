import assert from "node:assert/strict";
import { ExecTrainer } from "../../src/client/exec_trainer.ts";
import { type FinalModel, Session, type SessionEvent } from "../../src/client/session.ts";
import { PacedServer } from "../../src/contract/paced_server.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { options as mqttOptions } from "../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../src/protocols/mqtt/server.ts";
import { serverOptions } from "../protocols/subject.ts";
import { Awaitable } from "../support/awaitable.ts";
import { Federation, GRACE_MS, PART_BYTES } from "../support/federation.ts";
import { SampleFolder } from "./sample_folder.ts";

/** A client whose trainer is this script, with `$HERE` as a folder of its own. */
async function openClient(clientId: string, { url, script }: { url: string; script: string }) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await SampleFolder.open());
  const path = await folder.write("program.sh", script);
  const command = `HERE='${folder.path}' sh '${path}'`;
  const trainer = stack.use(await ExecTrainer.open({ command, samples: 10 }));
  const events = new Awaitable<SessionEvent>();
  const leave = new AbortController();
  const session = new Session({
    clientId,
    urls: [new URL(url)],
    trainer,
    software: "test",
    signal: leave.signal,
    observe: (event) => events.push(event),
  });
  const final: Promise<FinalModel> = session.run();
  stack.defer(() => {
    leave.abort();
    return final.then(() => {}, () => {});
  });
  const owned = stack.move();
  return { events, final, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function isAccepted(event: SessionEvent, round: number): boolean {
  return event.kind === "uploaded" && event.round === round && event.verdict === Verdict.ACCEPTED;
}

Deno.test("a client whose program crashes lives on, and takes part in the next round and to the end", async () => {
  await using federation = await Federation.open({
    subjects: [],
    plan: { minClients: 2, rounds: 2, quorum: 0.5 },
  });
  await using link = new PacedServer(
    new MqttServer(serverOptions("mqtt"), mqttOptions.parse({ port: 0 })),
    { runId: federation.coordinator.runId, partBytes: PART_BYTES, windowBytes: 16 * PART_BYTES },
  );
  const [address] = await federation.coordinator.attach("mqtt", link);
  assert.ok(address);
  const { url } = address;
  const steady = `cp "$TRIBUTARY_MODEL" "$TRIBUTARY_OUT"\n`;
  await using one = await openClient("one", { url, script: steady });
  await using two = await openClient("two", {
    url,
    script: `if [ ! -e "$HERE/crashed" ]; then
      touch "$HERE/crashed"
      echo 'MemoryError' >&2
      exit 9
    fi
    echo '{"batch": 1, "batches": 1, "loss": 2}'
    ${steady}`,
  });
  const failed = await two.events.find((event) => event.kind === "taskFailed");
  assert.deepEqual(failed, {
    kind: "taskFailed",
    round: 1,
    reason: "The trainer ended with exit code 9: MemoryError",
  });
  await one.events.find((event) => isAccepted(event, 1));
  federation.clock.pass(GRACE_MS);
  await two.events.find((event) => isAccepted(event, 2));
  const outcome = await federation.coordinator.finished;
  assert.deepEqual([...outcome.confirmed].sort(), ["one", "two"]);
  assert.deepEqual((await one.final).model, (await two.final).model);
  assert.deepEqual(
    two.events.all.filter((event) => event.kind === "training"),
    [{ kind: "training", round: 2, progress: { batch: 1, batches: 1, loss: 2 } }],
  );
});
