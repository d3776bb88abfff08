/** The whole server with its five wires open, to whose ports strangers do what they like. */

import assert from "node:assert/strict";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { Fields } from "../../src/log.ts";
import { Metrics } from "../../src/metrics.ts";
import { dialUrl, type ProtocolName, PROTOCOLS } from "../../src/protocols/mod.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine, weights } from "../support/federation.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { Member } from "../support/member.ts";
import { library } from "../support/wires.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { smallConfig } from "./small_config.ts";

const REFUSAL = "peer refused";

/** What the operator has read of a peer that was refused. */
export interface Logged {
  readonly wire: string;
  readonly reason: string;
}

export class Siege implements AsyncDisposable {
  /** The coordinator's; the wires go by the real time. */
  readonly clock: ManualClock;
  readonly #log: Awaitable<LogLine>;
  readonly #server: FederationServer;

  private constructor(parts: {
    clock: ManualClock;
    log: Awaitable<LogLine>;
    server: FederationServer;
  }) {
    this.clock = parts.clock;
    this.#log = parts.log;
    this.#server = parts.server;
  }

  static async open(flags: Readonly<Record<string, string>> = {}): Promise<Siege> {
    using directory = new StateDirectory();
    const ports = Object.fromEntries(PROTOCOLS.map((wire) => [`${wire}-port`, "0"]));
    const config = smallConfig(directory.path, {
      ...ports,
      "protocols": PROTOCOLS.join(","),
      "dds-library": library,
      "min-clients": String(PROTOCOLS.length),
      ...flags,
    });
    const clock = new ManualClock();
    const log = new Awaitable<LogLine>();
    const parts = { config, clock, events: eventsTo(log), metrics: new Metrics() };
    return new Siege({ clock, log, server: await FederationServer.open(parts) });
  }

  url(wire: ProtocolName): string {
    return this.#server.addresses.find((address) => address.wire === wire)?.url ?? "";
  }

  /** Resolves once so many lines of the log have this message, and this field. */
  async logged(message: string, count: number, field: Fields = {}): Promise<void> {
    const [[name, value] = ["", undefined]] = Object.entries(field);
    await this.#log.some(
      count,
      (line) => line.message === message && line.fields[name] === value,
    );
  }

  /** Resolves once the operator has read of so many refusals on a wire. */
  async refused(wire: ProtocolName, count: number): Promise<void> {
    await this.logged(REFUSAL, count, { wire });
  }

  /** A client on each wire. */
  async join(stack: AsyncDisposableStack): Promise<Member[]> {
    return await Promise.all(PROTOCOLS.map(async (wire) => {
      const member = stack.use(await Member.connect(dialUrl, this.url(wire), `member-${wire}`));
      await member.hello();
      return member;
    }));
  }

  /** The one round's update of each is accepted. */
  async train(members: readonly Member[]): Promise<void> {
    await Promise.all(members.map(async (member) => {
      const receipt = await member.update(await member.task(1), weights([1, 2, 3, 4]));
      assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
    }));
  }

  /** Each confirms the final model; then these refusals, and no others, were logged. */
  async finish(members: readonly Member[], expected: readonly Logged[]): Promise<void> {
    await Promise.all(members.map(async (member) => {
      assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
    }));
    const { confirmed } = await this.#server.finished;
    assert.equal(confirmed.length, members.length);
    assert.deepEqual(this.#refusals(), expected.map(sentence).sort());
    const lost = this.lines("wire down").concat(this.lines("wire restarting"));
    assert.deepEqual(lost, []);
  }

  /** A federation of a client on each wire goes from Hello to the final model. */
  async holds(expected: readonly Logged[]): Promise<void> {
    await using stack = new AsyncDisposableStack();
    const members = await this.join(stack);
    await this.train(members);
    await this.finish(members, expected);
  }

  /** What was logged so far with this message. */
  lines(message: string): LogLine[] {
    return this.#log.all.filter((line) => line.message === message);
  }

  #refusals(): string[] {
    return this.lines(REFUSAL)
      .map(({ fields }) => sentence({ wire: String(fields.wire), reason: String(fields.reason) }))
      .sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function sentence({ wire, reason }: Logged): string {
  return `${wire}: ${reason}`;
}
