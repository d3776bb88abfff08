/** The weights a federation begins with. */

import type { Topology } from "./trainer.ts";
import { TrainerLink } from "./trainer_link.ts";

/**
 * Weights drawn by the topology's own initializers, as safetensors: the same topology and seed give
 * the same bytes. Computed in a Worker, so that the caller need not load tfjs.
 *
 * @throws TrainerError when the topology cannot be built.
 */
export async function initialModel(
  topology: Topology,
  seed: number,
): Promise<Uint8Array<ArrayBuffer>> {
  using link = new TrainerLink(undefined);
  return await link.call({ kind: "initialise", topology, seed }) as Uint8Array<ArrayBuffer>;
}
