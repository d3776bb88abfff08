/** Bodies of what the server says about itself: Welcome and Closing. */

import { serverMessage } from "../contract/codec.ts";
import type { ClosingReason, ServerMessage } from "../contract/federation_pb.ts";
import type { CoordinatorOptions } from "./options.ts";
import type { Client } from "./roster.ts";

/** @param nonce Of the Hello that is answered, which need not be the one that opened the session. */
export function welcome(
  { session }: Client,
  { nonce, round }: { nonce: Uint8Array; round: number },
  { limits, opened: { model }, topology }: CoordinatorOptions,
): ServerMessage["body"] {
  const value = {
    session,
    nonce,
    round,
    heartbeatIntervalMs: limits.heartbeatIntervalMs,
    windowBytes: limits.windowBytes,
    largestPartBytes: limits.partBytes,
    model: {
      bytes: BigInt(model.bytes),
      tensors: model.tensors.map(({ name, dtype, shape }) => ({
        name,
        dtype,
        shape: shape.map(BigInt),
      })),
      topology: topology.bytes,
      topologyType: topology.type,
    },
  };
  return serverMessage({ body: { case: "welcome", value } }).body;
}

export function closing(
  reason: ClosingReason,
  detail: string,
  retryAfterMs = 0,
): ServerMessage["body"] {
  const value = { reason, detail, retryAfterMs };
  return serverMessage({ body: { case: "closing", value } }).body;
}
