/** Clients of whom the model shows whose updates are in it, and how often. */

import { GivenTrainer } from "../client/given_trainer.ts";
import { weights } from "../support/federation.ts";
import { valuesOf } from "../support/member.ts";

/** Client i adds 1 to parameter i. */
export function adding(index: number): GivenTrainer {
  return new GivenTrainer((model) => {
    const values = valuesOf(model);
    values[index] = (values[index] ?? 0) + 1;
    return weights(values);
  });
}
