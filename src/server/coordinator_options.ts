/** What the configuration says to the coordinator. */

import type { Evaluator } from "../client/evaluator.ts";
import type { Topology } from "../client/trainer.ts";
import type { Config } from "../config.ts";
import type { Clock } from "../coordinator/clock.ts";
import type { CoordinatorOptions } from "../coordinator/options.ts";
import type { StoppingRules } from "../coordinator/stopping.ts";
import type { Events } from "../events.ts";
import { STRATEGIES, type StrategyEntry } from "../strategies/mod.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { VaultLink } from "../vault/link.ts";
import type { Opened } from "../vault/vault.ts";

export interface CoordinatorParts {
  readonly config: Config;
  readonly events: Events;
  readonly clock: Clock;
  readonly opened: Opened;
  readonly topology: Topology;
  readonly vault: VaultLink;
  readonly evaluator: Evaluator | undefined;
}

export function coordinatorOptions(parts: CoordinatorParts): CoordinatorOptions {
  const { config, events, clock, opened, topology, vault, evaluator } = parts;
  const { name, training, limits } = config;
  const strategy = strategyOf(config);
  const never = new AbortController().signal;
  return {
    name,
    plan: {
      rounds: training.rounds,
      minClients: training.minClients,
      clientsPerRound: training.clientsPerRound <= 1
        ? { fraction: training.clientsPerRound }
        : { number: training.clientsPerRound },
      quorum: training.quorum,
      convergedFraction: training.convergedFraction,
      seed: training.seed,
    },
    roundTimeoutMs: training.roundTimeoutMs,
    deadlineFactor: training.deadlineFactor,
    graceMs: training.graceMs,
    stopping: stoppingOf(training),
    evaluation: { fraction: training.evaluateFraction, timeoutMs: training.evaluationTimeoutMs },
    finishTimeoutMs: limits.finishTimeoutMs,
    settings: (round, client) => ({
      ...training.settings,
      ...strategy.settings?.(round, client),
    }),
    topology,
    keepRounds: config.keepRounds,
    limits,
    ...(evaluator === undefined ? {} : {
      evaluate: (model: ArrayBuffer) =>
        evaluator.evaluate(new Uint8Array(model), { signal: never }),
    }),
    vault: vault.calls,
    opened,
    clock,
    events,
  };
}

/** A strategy of the coordinator's own, for what it tells trainers; the vault's does the maths. */
function strategyOf({ strategy: { name, options } }: Config): Strategy {
  const entry: StrategyEntry = STRATEGIES[name];
  return entry.create(options);
}

function stoppingOf(training: Config["training"]): StoppingRules {
  const { metric, target, plateauRounds: rounds, plateauMinDelta: minDelta } = training;
  return {
    metric,
    ...(target === undefined ? {} : { target }),
    ...(rounds === undefined ? {} : { plateau: { rounds, minDelta } }),
  };
}
