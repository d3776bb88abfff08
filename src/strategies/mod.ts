/** The list of strategies: a new one is a file and a line here. */

import type * as z from "zod";
import { fedAdagrad, fedAdagradOptions } from "./fedadagrad.ts";
import { fedAdam, fedAdamOptions } from "./fedadam.ts";
import { fedAvg, fedAvgOptions } from "./fedavg.ts";
import { fedAvgM, fedAvgMOptions } from "./fedavgm.ts";
import { fedProx, fedProxOptions } from "./fedprox.ts";
import { fedYogi, fedYogiOptions } from "./fedyogi.ts";
import { median, medianOptions } from "./median.ts";
import type { Strategy } from "./strategy.ts";
import { trimmedMean, trimmedMeanOptions } from "./trimmed_mean.ts";

/** A strategy's part of the configuration, and the strategy made from it. */
export interface StrategyEntry<Options extends z.ZodObject = z.ZodObject> {
  /** Unknown keys are refused; every option has a default. */
  readonly options: Options;
  /** @throws {z.ZodError} when the options do not fit the schema. */
  create(options: unknown): Strategy;
}

export const STRATEGIES = {
  fedavg: entry(fedAvgOptions, fedAvg),
  fedprox: entry(fedProxOptions, fedProx),
  fedavgm: entry(fedAvgMOptions, fedAvgM),
  fedadam: entry(fedAdamOptions, fedAdam),
  fedyogi: entry(fedYogiOptions, fedYogi),
  fedadagrad: entry(fedAdagradOptions, fedAdagrad),
  median: entry(medianOptions, median),
  trimmed_mean: entry(trimmedMeanOptions, trimmedMean),
} as const;

export type StrategyName = keyof typeof STRATEGIES;

function entry<Options extends z.ZodObject>(
  options: Options,
  strategy: (options: z.output<Options>) => Strategy,
): StrategyEntry<Options> {
  return { options, create: (input) => strategy(options.parse(input)) };
}
