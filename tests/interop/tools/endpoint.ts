/** One wire of a real federation, for tools that know the wire and nothing of Tributary. */

import assert from "node:assert/strict";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { ProtocolName } from "../../../src/protocols/mod.ts";
import { Federation, type LogLine, weights } from "../../support/federation.ts";
import { wire } from "../../support/wires.ts";

export class Endpoint implements AsyncDisposable {
  readonly #federation: Federation;

  private constructor(federation: Federation) {
    this.#federation = federation;
  }

  static async open(name: ProtocolName): Promise<Endpoint> {
    return new Endpoint(await Federation.open({ subjects: [wire(name)] }));
  }

  get port(): string {
    return new URL(this.#federation.url()).port;
  }

  /** What the operator has read so far of peers that were refused. */
  get refusals(): string[] {
    return this.#federation.log.all.filter(isRefusal).map(reasonOf);
  }

  /** The reasons of the first refusals, once there are so many. */
  async refused(count: number): Promise<string[]> {
    return (await this.#federation.log.some(count, isRefusal)).map(reasonOf);
  }

  /** Why the first connection ended, once it has. */
  async ending(): Promise<string> {
    return reasonOf(await this.#federation.logged("peer disconnected"));
  }

  /** Resolves once the federation has this client. */
  async joined(client: string): Promise<void> {
    await this.#federation.logged("client joined", { client });
  }

  /** A client of the federation goes from Hello to the last model, whatever else was here. */
  async trains(): Promise<void> {
    await using member = await this.#federation.join("client-of-the-federation");
    const receipt = await member.update(await member.task(1), weights([1, 2, 3, 4]));
    assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
    assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
    await this.#federation.coordinator.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#federation[Symbol.asyncDispose]();
  }
}

function isRefusal({ message }: LogLine): boolean {
  return message === "peer refused";
}

function reasonOf({ fields }: LogLine): string {
  return String(fields.reason);
}
