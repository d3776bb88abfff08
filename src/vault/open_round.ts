/** A round that updates are folded into as they come in, and again when another process goes on with it. */

import type { Aggregation } from "../strategies/strategy.ts";
import { decodeSafetensors } from "../weights/safetensors.ts";
import { isRejection } from "../weights/tensors.ts";
import type { Assigned, UpdateRow } from "./records.ts";
import { checksumOf, type Shelf } from "./shelf.ts";

export interface OpenRound {
  readonly round: number;
  readonly assigned: readonly Assigned[];
  readonly answered: Set<string>;
  readonly aggregation: Aggregation;
}

/** An update that was accepted, and of which a power cut or a damaged disk has left too little. */
export interface LostUpdate {
  readonly client: string;
  readonly round: number;
  /** Within the state directory. */
  readonly file: string;
  readonly reason: string;
}

/** Folds recorded updates again, each read from its file. Gives back those that cannot be. */
export function refold(
  open: OpenRound,
  updates: readonly UpdateRow[],
  shelf: Shelf,
): LostUpdate[] {
  const lost: LostUpdate[] = [];
  for (const update of updates) {
    const { client, file } = update;
    const reason = refoldOne(open, update, shelf.update(file));
    if (reason === undefined) open.answered.add(client);
    else lost.push({ client, round: open.round, file, reason });
  }
  return lost;
}

/** Why an update is lost, if it is; then nothing of it is in the sum. */
function refoldOne(
  { aggregation }: OpenRound,
  { client, samples, kind, checksum }: UpdateRow,
  bytes: Uint8Array<ArrayBuffer> | undefined,
): string | undefined {
  if (bytes === undefined) return "its file is missing";
  if (checksum !== undefined && checksumOf(bytes) !== checksum) return "its file is damaged";
  const tensors = decodeSafetensors(bytes);
  if (isRejection(tensors)) return `its file is damaged: ${tensors.detail}`;
  return aggregation.add({ client, samples, kind, tensors })?.detail;
}
