/** The server's own evaluation of each round's model, on the test data the operator named. */

import { DatasetError } from "../client/datasets/dataset.ts";
import { Evaluator } from "../client/evaluator.ts";
import { type Topology, TrainerError } from "../client/trainer.ts";
import type { Config } from "../config.ts";
import { ConfigError } from "../config/config_error.ts";

/**
 * None where no test data is named.
 * @throws {ConfigError} for data or a topology that cannot be used.
 */
export async function openEvaluator(
  { training: { testData } }: Config,
  topology: Topology,
): Promise<Evaluator | undefined> {
  if (testData === undefined) return undefined;
  try {
    return await Evaluator.open(testData, topology);
  } catch (error) {
    if (!(error instanceof DatasetError) && !(error instanceof TrainerError)) throw error;
    throw new ConfigError([`--test-data cannot be used: ${error.message}`], { cause: error });
  }
}
