/** A server behind a broker, a scripted coordinator behind it, and clients in front. */

import assert from "node:assert/strict";
import type { Dial } from "../../../src/contract/connection.ts";
import type { ProtocolServer, Route } from "../../../src/contract/protocol_server.ts";
import { Peer } from "../../support/peer.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";

export class BrokerBench implements AsyncDisposable {
  readonly coordinator: ScriptedCoordinator;
  readonly server: ProtocolServer;
  /** Where clients join. */
  readonly url: string;
  readonly #dial: Dial;

  private constructor(
    server: ProtocolServer,
    { coordinator, url, dial }: { coordinator: ScriptedCoordinator; url: string; dial: Dial },
  ) {
    this.server = server;
    this.coordinator = coordinator;
    this.url = url;
    this.#dial = dial;
  }

  static async open(server: ProtocolServer, dial: Dial): Promise<BrokerBench> {
    const coordinator = new ScriptedCoordinator();
    const [address] = await server.listen(coordinator);
    assert.ok(address);
    return new BrokerBench(server, { coordinator, url: address.url, dial });
  }

  join(clientId: string, options?: { reading?: boolean }): Promise<Peer> {
    return Peer.dial(this.#dial, this.url, clientId, options);
  }

  /** Why the route is over. */
  async detached(route: Route): Promise<string> {
    const arrival = await this.coordinator.arrivals.find((each) =>
      each.kind === "detached" && each.route.id === route.id
    );
    return arrival.kind === "detached" ? arrival.reason : "";
  }

  /** The reason of the first refusal that fits. */
  async refused(reason: RegExp): Promise<string> {
    const event = await this.coordinator.events.find((each) =>
      each.kind === "refused" && reason.test(each.reason)
    );
    return event.kind === "refused" ? event.reason : "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}
