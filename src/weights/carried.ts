/** Integer and bool tensors are not averaged: they come whole from one update. */

import { isFloatTensor, type NamedTensors, type Tensor } from "./tensors.ts";

/** The tensors of one update that are not averaged, and what it won by. */
export interface Carried {
  readonly client: string;
  readonly samples: number;
  /** Copies, owned by the fold. */
  readonly tensors: NamedTensors;
}

/**
 * Most samples win, the lowest client id (by UTF-16 code units) on a tie. That is a total order of
 * distinct clients, so the winner does not depend on the order of arrival or of merging.
 */
export function outranks(
  a: Pick<Carried, "client" | "samples">,
  b: Pick<Carried, "client" | "samples">,
): boolean {
  return a.samples > b.samples || (a.samples === b.samples && a.client < b.client);
}

/** Copies the tensors that are not averaged, in the model's order: the update's buffer may be reused. */
export function carry(
  global: NamedTensors,
  update: { client: string; samples: number; tensors: NamedTensors },
): Carried {
  const tensors = new Map<string, Tensor>();
  for (const tensor of global.values()) {
    const own = update.tensors.get(tensor.name);
    if (own === undefined || isFloatTensor(tensor)) continue;
    tensors.set(tensor.name, { ...tensor, bytes: new Uint8Array(own.bytes) });
  }
  return { client: update.client, samples: update.samples, tensors };
}
