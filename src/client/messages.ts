/** Bodies of what a client says about itself: Hello, Heartbeat and Leave. */

import { clientMessage } from "../contract/codec.ts";
import { type ClientMessage, LeaveReason } from "../contract/federation_pb.ts";
import type { Download } from "./download.ts";
import type { SessionOptions } from "./session_options.ts";

type Body = ClientMessage["body"];

const CONTRACT_VERSION = 1;

export function hello(
  { trainer, software, token = "", labels = {} }: SessionOptions,
  { nonce, session, model }: {
    nonce: Uint8Array;
    /** To go on with; empty opens a new one. */
    session: Uint8Array;
    /** The model held, whole or in part. */
    model: Download | undefined;
  },
): Body {
  const value = {
    contractVersion: CONTRACT_VERSION,
    nonce,
    token,
    software,
    samples: trainer.samples,
    labels: { ...labels },
    session,
    ...(model === undefined ? {} : { held: model.held() }),
  };
  return clientMessage({ body: { case: "hello", value } }).body;
}

export function heartbeat(): Body {
  return clientMessage({ body: { case: "heartbeat", value: {} } }).body;
}

/** The final model is held. */
export function leaveDone(modelSha256: Uint8Array): Body {
  const value = { reason: LeaveReason.DONE, modelSha256 };
  return clientMessage({ body: { case: "leave", value } }).body;
}

export function leaveShuttingDown(): Body {
  const value = { reason: LeaveReason.SHUTTING_DOWN };
  return clientMessage({ body: { case: "leave", value } }).body;
}

/** 16 random bytes that tell one Hello, and the last will of its connection, from all others. */
export function freshNonce(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(16));
}

/** The last will: said by a wire's server for a client that vanished. */
export function leaveLost(nonce: Uint8Array): Body {
  const value = { reason: LeaveReason.LOST, nonce };
  return clientMessage({ body: { case: "leave", value } }).body;
}
