/** A listening QuicServer with a scripted coordinator behind it. */

import assert from "node:assert/strict";
import { serverMessage } from "../../../src/contract/codec.ts";
import type { ServerMessage } from "../../../src/contract/federation_pb.ts";
import type { ServerOptions } from "../../../src/contract/server_options.ts";
import { type Options, options } from "../../../src/protocols/quic/options.ts";
import { QuicServer } from "../../../src/protocols/quic/server.ts";
import { RUN_ID, ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";

export class Bench implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly server: QuicServer;
  url = "";

  private constructor(server: QuicServer) {
    this.server = server;
  }

  static async open(
    own: Partial<Options> = {},
    server: Partial<ServerOptions> = {},
  ): Promise<Bench> {
    const bench = new Bench(
      new QuicServer({ ...serverOptions("quic"), ...server }, options.parse({ port: 0, ...own })),
    );
    const [address] = await bench.server.listen(bench.coordinator);
    assert.ok(address);
    bench.url = address.url;
    return bench;
  }

  /** The reason of the first event of a kind. */
  async heard(kind: "refused" | "disconnected"): Promise<string> {
    const event = await this.coordinator.events.find((event) => event.kind === kind);
    assert.ok(event.kind !== "connected");
    return event.reason;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/** A part of a model: all of it, unless `totalBytes` says otherwise. */
export function model(
  modelRound: number,
  bytes: Uint8Array,
  totalBytes = bytes.length,
): ServerMessage {
  return serverMessage({
    runId: RUN_ID,
    body: {
      case: "modelPart",
      value: { modelRound, totalBytes: BigInt(totalBytes), bytes },
    },
  });
}

export function task(round: number): ServerMessage {
  return serverMessage({
    runId: RUN_ID,
    body: { case: "task", value: { taskId: round, kind: 1, round, modelRound: round } },
  });
}

export const NEVER = new AbortController().signal;
