/** A listening endpoint with a scripted coordinator behind it. */

import assert from "node:assert/strict";
import { type Options, options } from "../../../src/protocols/amqp/options.ts";
import { AmqpServer } from "../../../src/protocols/amqp/server.ts";
import type { ServerOptions } from "../../../src/contract/server_options.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";

export class AmqpBench implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly server: AmqpServer;
  url = "";

  private constructor(server: AmqpServer) {
    this.server = server;
  }

  static async open(
    server: Partial<ServerOptions> = {},
    own: Partial<Options> = {},
  ): Promise<AmqpBench> {
    const all = { ...serverOptions("amqp"), ...server };
    const bench = new AmqpBench(new AmqpServer(all, options.parse({ port: 0, ...own })));
    const [address] = await bench.server.listen(bench.coordinator);
    assert.ok(address);
    bench.url = address.url;
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}
