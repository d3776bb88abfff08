/** A listening endpoint with a scripted coordinator behind it. */

import assert from "node:assert/strict";
import { clientMessage, encodeClientMessage, serverMessage } from "../../../src/contract/codec.ts";
import type { ServerMessage } from "../../../src/contract/federation_pb.ts";
import type { Arrival, Route, SendOutcome } from "../../../src/contract/protocol_server.ts";
import type { ServerOptions } from "../../../src/contract/server_options.ts";
import { type Options, options } from "../../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../../src/protocols/mqtt/server.ts";
import { RUN_ID, ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";

export class EndpointBench implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly server: MqttServer;
  url = "";

  private constructor(server: MqttServer) {
    this.server = server;
  }

  static async open(
    { server = {}, own = {} }: { server?: Partial<ServerOptions>; own?: Partial<Options> } = {},
  ): Promise<EndpointBench> {
    const bench = new EndpointBench(
      new MqttServer({ ...serverOptions("mqtt"), ...server }, options.parse({ port: 0, ...own })),
    );
    const [address] = await bench.server.listen(bench.coordinator);
    assert.ok(address);
    bench.url = address.url;
    return bench;
  }

  /** The route of a client's first message. */
  async route(clientId: string): Promise<Route> {
    return (await this.coordinator.message(clientId)).route;
  }

  send(route: Route, message: ServerMessage): Promise<SendOutcome> {
    return this.server.send(route, message, { signal: new AbortController().signal });
  }

  async detached(route: Route): Promise<Extract<Arrival, { kind: "detached" }>> {
    return await this.coordinator.arrivals.find((arrival) =>
      arrival.kind === "detached" && arrival.route.id === route.id
    ) as Extract<Arrival, { kind: "detached" }>;
  }

  async refusal(): Promise<string> {
    const event = await this.coordinator.events.find(({ kind }) => kind === "refused");
    return event.kind === "refused" ? event.reason : "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/** A Heartbeat, as bytes. */
export function heartbeatBytes(clientId: string, sequence: number): Uint8Array<ArrayBuffer> {
  return encodeClientMessage(
    clientMessage({ clientId, sequence, body: { case: "heartbeat", value: {} } }),
  );
}

/** A Leave for a last will, as bytes. */
export function willBytes(clientId: string): Uint8Array<ArrayBuffer> {
  const nonce = new Uint8Array(16).fill(7);
  return encodeClientMessage(
    clientMessage({ clientId, body: { case: "leave", value: { reason: 4, nonce } } }),
  );
}

export function task(round: number): ServerMessage {
  return serverMessage({
    runId: RUN_ID,
    body: { case: "task", value: { taskId: round, kind: 1, round, modelRound: round } },
  });
}
