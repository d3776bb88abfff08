/** Uploads whose parts the test answers one by one. */

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type {
  ClientMessage,
  Receipt,
  UpdatePart,
  Verdict,
} from "../../src/contract/federation_pb.ts";
import { Exchange } from "../../src/client/exchange.ts";
import { type Update, upload } from "../../src/client/upload.ts";
import { MemoryConnection } from "./memory_connection.ts";

export const SILENCE_MS = 30_000;
const { signal } = new AbortController();

function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 37) & 0xff);
}

export function updateOf(length: number, heldBytes = 0): Update {
  return {
    taskId: 2,
    modelRound: 1,
    uploadId: new Uint8Array(16).fill(5),
    kind: 0,
    samples: 10,
    metrics: { loss: 0.5 },
    bytes: pattern(length),
    heldBytes,
  };
}

export function partIn(message: ClientMessage): UpdatePart {
  assert.ok(message.body.case === "updatePart");
  return message.body.value;
}

export function openExchange() {
  const connection = new MemoryConnection();
  const identity = { clientId: "a", runId: "run", session: new Uint8Array(16) };
  const exchange = new Exchange(connection, identity, {
    hear: () => {},
    silenceMs: () => SILENCE_MS,
  });
  return { connection, exchange };
}

export function begin(update: Update, options: { partBytes: number; windowBytes: number }) {
  const { connection, exchange } = openExchange();
  const receipt = upload(exchange, update, { ...options, signal });
  receipt.catch(() => {});
  let answered = 0;
  return {
    connection,
    exchange,
    receipt,
    /** What is sent and not yet answered. */
    offsets: async () => {
      await turn();
      return connection.sent.all.slice(answered).map((message) => Number(partIn(message).offset));
    },
    answer: (verdict: Verdict, more: Partial<Receipt> = {}) => {
      const message = connection.sent.all[answered++];
      assert.ok(message, "nothing to answer");
      connection.judge(message.sequence, verdict, more);
    },
  };
}
