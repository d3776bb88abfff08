import assert from "node:assert/strict";
import { STRATEGIES, type StrategyName } from "../../src/strategies/mod.ts";
import { strategyLaws, type Traits } from "./law_suite.ts";

const MEAN: Traits = { agreement: "value", samplesWeigh: true, remembers: false };
const ADAPTIVE: Traits = { agreement: "towards", samplesWeigh: true, remembers: true };
const ROBUST: Traits = { agreement: "value", samplesWeigh: false, remembers: false };

/** A strategy without an entry here does not compile. */
const TRAITS: Record<StrategyName, Traits> = {
  fedavg: MEAN,
  fedprox: MEAN,
  // A first round has no momentum yet, and the server learning rate is 1.
  fedavgm: { ...MEAN, remembers: true },
  fedadam: ADAPTIVE,
  fedyogi: ADAPTIVE,
  fedadagrad: ADAPTIVE,
  median: ROBUST,
  trimmed_mean: ROBUST,
};

for (const name of Object.keys(TRAITS) as StrategyName[]) {
  const entry = STRATEGIES[name];
  strategyLaws(name, () => entry.create({}), TRAITS[name]);

  Deno.test(`${name} refuses an option it does not know, and names it`, () => {
    assert.throws(() => entry.create({ etta: 1 }), /etta/);
  });
}

Deno.test("options beyond their range are refused", () => {
  const wrong: [StrategyName, Record<string, unknown>][] = [
    ["fedprox", { mu: -1 }],
    ["fedprox", { mu: NaN }],
    ["fedavgm", { momentum: 1 }],
    ["fedadam", { tau: 0 }],
    ["fedadam", { eta: 0 }],
    ["fedadam", { eta: "0.1" }],
    ["fedyogi", { beta2: 1 }],
    ["fedadagrad", { tau: -1 }],
    ["trimmed_mean", { beta: 0.5 }],
    ["trimmed_mean", { beta: -0.1 }],
  ];
  for (const [name, options] of wrong) {
    assert.throws(() => STRATEGIES[name].create(options), { name: "ZodError" });
  }
});

Deno.test("fedprox alone has settings for trainers: its mu", () => {
  const settings = (Object.keys(STRATEGIES) as StrategyName[]).map((name) =>
    [name, STRATEGIES[name].create({}).settings?.(1, "a")] as const
  ).filter(([, settings]) => settings !== undefined);
  assert.deepEqual(settings, [["fedprox", { mu: 0.01 }]]);
  assert.deepEqual(STRATEGIES.fedprox.create({ mu: 1 }).settings?.(1, "a"), { mu: 1 });
});
