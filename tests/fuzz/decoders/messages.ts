/** The contract's messages, as every wire hands them over. */

import {
  arrivalOf,
  clientMessage,
  decodeServerMessage,
  encodeClientMessage,
  encodeServerMessage,
  serverMessage,
} from "../../../src/contract/codec.ts";
import type { Decoder } from "../decoder.ts";

const sixteen = new Uint8Array(16).fill(7);

export const clientMessages: Decoder = {
  name: "ClientMessage",
  boundBytes: 4096,
  seeds: () => {
    const common = { clientId: "client-1", runId: "run", session: sixteen, sequence: 3 };
    const bodies: NonNullable<Parameters<typeof clientMessage>[0]["body"]>[] = [
      {
        case: "hello",
        value: {
          contractVersion: 1,
          nonce: sixteen,
          token: "a.b.c",
          software: "fuzz",
          samples: 100,
          labels: { site: "north", line: "4" },
          session: sixteen,
          downlink: "mqtt",
          encodings: ["x"],
          held: { modelRound: 2, offset: 4096n, sha256: new Uint8Array(32) },
        },
      },
      {
        case: "updatePart",
        value: {
          taskId: 5,
          modelRound: 2,
          uploadId: sixteen,
          samples: 10,
          metrics: { loss: 0.5, accuracy: 0.9 },
          totalBytes: 1024n,
          offset: 512n,
          bytes: new Uint8Array(512).fill(1),
        },
      },
      { case: "evaluation", value: { taskId: 6, samples: 10, metrics: { loss: 0.25 } } },
      { case: "modelHeld", value: { modelRound: 2, offset: 99n, sha256: new Uint8Array(32) } },
      { case: "heartbeat", value: {} },
      { case: "leave", value: { reason: 1, modelSha256: new Uint8Array(32), nonce: sixteen } },
      { case: "sealed", value: { body: sixteen, tag: new Uint8Array(32) } },
    ];
    return bodies.map((body) => encodeClientMessage(clientMessage({ ...common, body })));
  },
  decode: (bytes) =>
    arrivalOf({ wire: "fuzz", id: 1 }, bytes).kind === "message" ? "taken" : "refused",
};

export const serverMessages: Decoder = {
  name: "ServerMessage",
  boundBytes: 4096,
  seeds: () => {
    const bodies: NonNullable<Parameters<typeof serverMessage>[0]["body"]>[] = [
      {
        case: "welcome",
        value: {
          session: sixteen,
          nonce: sixteen,
          round: 3,
          heartbeatIntervalMs: 10_000,
          windowBytes: 4_194_304,
          largestPartBytes: 262_144,
          model: {
            bytes: 1024n,
            topology: new TextEncoder().encode("{}"),
            topologyType: "application/json",
          },
        },
      },
      {
        case: "modelPart",
        value: { modelRound: 1, totalBytes: 64n, offset: 0n, bytes: new Uint8Array(64) },
      },
      { case: "task", value: { taskId: 4, round: 2, modelRound: 1, settings: { epochs: 2 } } },
      { case: "receipt", value: { sequence: 9, verdict: 1, detail: "done", nextOffset: 64n } },
      { case: "closing", value: { reason: 1, detail: "again", retryAfterMs: 100 } },
    ];
    return bodies.map((body) => encodeServerMessage(serverMessage({ runId: "run", body })));
  },
  decode: (bytes) => {
    try {
      decodeServerMessage(bytes);
      return "taken";
    } catch (error) {
      if (error instanceof SyntaxError) return "refused";
      throw error;
    }
  },
};
