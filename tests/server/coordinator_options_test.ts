import assert from "node:assert/strict";
import { readConfig } from "../../src/config.ts";
import { Metrics } from "../../src/metrics.ts";
import { openEvents } from "../../src/events.ts";
import { coordinatorOptions } from "../../src/server/coordinator_options.ts";
import { VaultLink } from "../../src/vault/link.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { MODEL } from "./small_config.ts";

/** What the coordinator is told by these flags. */
async function optionsOf(flags: Readonly<Record<string, string>>) {
  const { config } = readConfig({ flags });
  const { vault, opened } = await VaultLink.open({
    stateDirectory: undefined,
    name: config.name,
    strategy: config.strategy,
    keepModels: config.keepModels,
    durability: config.durability,
    keepRounds: config.keepRounds,
    initialModel: MODEL.slice().buffer,
  });
  await using _ = vault;
  return coordinatorOptions({
    config,
    events: openEvents({ write() {} }, new Metrics()),
    clock: new ManualClock(),
    opened,
    topology: { type: "", bytes: new Uint8Array() },
    vault,
    evaluator: undefined,
  });
}

Deno.test("clients per round are a fraction up to 1 and a number above", async () => {
  assert.deepEqual((await optionsOf({ "clients-per-round": "1" })).plan.clientsPerRound, {
    fraction: 1,
  });
  assert.deepEqual((await optionsOf({ "clients-per-round": "2" })).plan.clientsPerRound, {
    number: 2,
  });
});

Deno.test("trainers get the operator's settings, and the strategy's above them", async () => {
  const { settings } = await optionsOf({
    settings: "epochs=2,mu=9",
    strategy: "fedprox",
    "strategy-options": "mu=0.25",
  });
  assert.deepEqual(settings(1, "a"), { epochs: 2, mu: 0.25 });
});

Deno.test("a run stops by what the operator named, and by nothing else", async () => {
  assert.deepEqual((await optionsOf({})).stopping, { metric: "accuracy" });
  const flags = {
    metric: "loss",
    target: "0.1",
    "plateau-rounds": "3",
    "plateau-min-delta": "0.5",
  };
  assert.deepEqual((await optionsOf(flags)).stopping, {
    metric: "loss",
    target: 0.1,
    plateau: { rounds: 3, minDelta: 0.5 },
  });
});

Deno.test("without test data there is no evaluation of the server's own", async () => {
  assert.equal("evaluate" in await optionsOf({}), false);
});
