/** How long a wire that is tried has, and when nobody's patience counts. */

import assert from "node:assert/strict";
import { clientMessage } from "../../src/contract/codec.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { SessionEvent } from "../../src/client/session.ts";
import { LEAST_PATIENCE_MS, Wires } from "../../src/client/wires.ts";
import { Federation } from "../support/federation.ts";
import { ManualTimers } from "../support/manual_timers.ts";
import { mqtt } from "../support/mqtt.ts";
import { Relay } from "../support/relay.ts";
import { GivenTrainer } from "./given_trainer.ts";
import { MODEL } from "./scripted_server.ts";

const ROUND: readonly SessionEvent[] = [
  { kind: "trained", round: 1, metrics: {} },
  { kind: "uploaded", round: 1, verdict: Verdict.ACCEPTED, detail: "" },
];

Deno.test("a trial whose connection was lost is not broken off while another one is looked for", async () => {
  await using federation = await Federation.open({ subjects: [mqtt], placement: "in process" });
  await using home = new Relay(federation.url());
  await using tried = new Relay(federation.url());
  using hole = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const moved = Promise.withResolvers<void>();
  const events: SessionEvent[] = [];
  using timers = new ManualTimers();
  await using wires = new Wires({
    clientId: "a",
    urls: [new URL(home.url), new URL(tried.url)],
    trainer: new GivenTrainer(() => MODEL.slice()),
    software: "test/1",
    signal: new AbortController().signal,
    observe: (event) => events.push(event),
    random: () => 0, // what may be tried is tried
  }, { will: () => clientMessage({ clientId: "a" }), moved: () => moved.resolve() });

  const first = await wires.reach();
  wires.observe({ kind: "welcomed", wire: "mqtt", runId: "run", round: 0 });
  for (const event of [...ROUND, ...ROUND]) wires.observe(event);
  await moved.promise;
  await first[Symbol.asyncDispose]();
  const trial = await wires.reach();
  assert.equal(tried.taken, 1);
  wires.observe({ kind: "lost", wire: "mqtt", reason: "the test cut it" });
  await trial[Symbol.asyncDispose]();

  const { addr: { port } } = hole as Deno.TcpListener;
  home.target = new URL(`mqtt://127.0.0.1:${port}`); // where nobody answers
  const reaching = wires.reach();
  using _ = await hole.accept();
  timers.pass(LEAST_PATIENCE_MS);
  assert.ok(!wires.moving); // a second call would leave a connection behind
  home.target = tried.target;
  home.cut();
  await using _found = await reaching;
  const choices = events.flatMap((event) => event.kind === "wireChosen" ? [event.choice] : []);
  assert.deepEqual(choices, ["stay", "try", "fallBack"]);
});
