/** Sends one update in parts, a window ahead of the receipts. */

import { clientMessage } from "../contract/codec.ts";
import { type Receipt, type UpdateKind, Verdict } from "../contract/federation_pb.ts";
import { pause } from "./dialling.ts";
import type { Exchange } from "./exchange.ts";

/** An update on its way; survives the connection it was begun on. */
export interface Update {
  readonly taskId: number;
  readonly modelRound: number;
  readonly uploadId: Uint8Array;
  readonly kind: UpdateKind;
  readonly samples: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly bytes: Uint8Array;
  /**
   * Bytes that the server has said it holds: where another connection goes on. Undefined in an update
   * of an earlier process: the server is asked.
   */
  heldBytes: number | undefined;
}

export interface UploadOptions {
  readonly partBytes: number;
  readonly windowBytes: number;
  readonly signal: AbortSignal;
  readonly progress?: (heldBytes: number) => void;
}

/**
 * Resolves with the final receipt: ACCEPTED, DUPLICATE, or why the update was refused.
 * @throws {ConnectionLost} when the connection ends before; call again with the next one.
 */
export async function upload(
  exchange: Exchange,
  update: Update,
  options: UploadOptions,
): Promise<Receipt> {
  const { partBytes, windowBytes, signal, progress } = options;
  const { length } = update.bytes;
  const flight: { receipt: Promise<Receipt>; turn: number }[] = [];
  let heldBytes = update.heldBytes ?? 0;
  // What cannot follow yet is answered with the offset from which to go on.
  let nextOffset = update.heldBytes ?? (length > partBytes ? length - 1 : 0);
  let endSent = false;
  /** Counts the times the server sent us back; receipts of an earlier turn do so no more. */
  let turn = 0;
  const hold = (bytes: number) => {
    heldBytes = update.heldBytes = bytes;
  };
  const turnBack = (offset: number) => {
    turn++;
    hold(offset);
    nextOffset = offset;
    endSent = false;
  };
  for (;;) {
    signal.throwIfAborted();
    while (
      !endSent && (nextOffset - heldBytes + partBytes <= windowBytes || flight.length === 0)
    ) {
      const bytes = update.bytes.subarray(nextOffset, nextOffset + partBytes);
      const receipt = exchange.ask(partOf(update, nextOffset, bytes));
      receipt.catch(() => {}); // awaited in its turn
      flight.push({ receipt, turn });
      nextOffset += bytes.length;
      endSent = nextOffset === length;
    }
    const oldest = flight.shift();
    if (oldest === undefined) throw new Error("Upload: nothing under way");
    const receipt = await oldest.receipt;
    const offset = Number(receipt.nextOffset);
    switch (receipt.verdict) {
      case Verdict.HELD:
        if (oldest.turn === turn) hold(Math.max(heldBytes, offset));
        progress?.(heldBytes);
        // The server forgot the end, as it was started again: it is to be sent once more.
        if (endSent && flight.length === 0) turnBack(offset);
        break;
      case Verdict.GAP:
        if (oldest.turn === turn) turnBack(offset);
        break;
      case Verdict.BUSY:
      case Verdict.FAILED:
        if (oldest.turn !== turn) break;
        await pause(
          Math.max(receipt.retryAfterMs, 1),
          AbortSignal.any([signal, exchange.signal]),
        );
        turnBack(offset);
        break;
      default:
        return receipt;
    }
  }
}

function partOf(update: Update, offset: number, bytes: Uint8Array) {
  const { taskId, modelRound, uploadId, kind, samples, metrics } = update;
  return clientMessage({
    body: {
      case: "updatePart",
      value: {
        taskId,
        modelRound,
        uploadId,
        kind,
        samples,
        // Metrics belong to the update; its last part carries them.
        metrics: offset + bytes.length === update.bytes.length ? { ...metrics } : {},
        totalBytes: BigInt(update.bytes.length),
        offset: BigInt(offset),
        bytes,
      },
    },
  }).body;
}
