/** Brokers of the operator's, through which clients take part too, and which are killed as all else is. */

import { setTimeout as delay } from "node:timers/promises";
import type { BrokerName } from "../../src/protocols/mod.ts";
import { installed } from "../interop/brokers/installed.ts";
import { Mosquitto } from "../interop/brokers/mosquitto.ts";
import { Rabbitmq } from "../interop/brokers/rabbitmq.ts";

/** What must be there for a broker, and the setting that names it to the server. */
const BROKERS = {
  // Else each window of parts takes some 40 ms longer through it, as wire.md says.
  "mqtt@broker": {
    programs: ["mosquitto"],
    flag: "mqtt-broker",
    start: () => Mosquitto.start(["allow_anonymous true", "set_tcp_nodelay true"]),
  },
  "amqp@broker": {
    programs: ["rabbitmq-server", "epmd"],
    flag: "amqp-broker",
    start: () => Rabbitmq.start(),
  },
} as const;

const WIRES = Object.keys(BROKERS) as BrokerName[];

/** The programs that are not installed, by the wire that is left out without them. */
export function missingPrograms(): ReadonlyMap<BrokerName, readonly string[]> {
  return new Map(WIRES.flatMap((wire) => {
    const missing = BROKERS[wire].programs.filter((program) => installed(program) === undefined);
    return missing.length === 0 ? [] : [[wire, missing] as const];
  }));
}

/** One broker's lives. */
export class Broker implements AsyncDisposable {
  readonly wire: BrokerName;
  readonly #daemon: Mosquitto | Rabbitmq;
  /** Until it serves again. */
  #starting: Promise<void> = Promise.resolve();

  private constructor(wire: BrokerName, daemon: Mosquitto | Rabbitmq) {
    this.wire = wire;
    this.#daemon = daemon;
  }

  static async start(wire: BrokerName): Promise<Broker> {
    return new Broker(wire, await BROKERS[wire].start());
  }

  get port(): number {
    return this.#daemon.port;
  }

  /** The server's setting. */
  get flag(): readonly [string, string] {
    return [BROKERS[this.wire].flag, this.#daemon.url];
  }

  /** Resolves when it is killed; it comes back by itself after a while. */
  async kill(awayMs: number): Promise<void> {
    await this.#starting; // one that is not there yet cannot be killed
    await this.#daemon.kill();
    this.#starting = delay(awayMs).then(() => this.#daemon.startAgain());
    this.#starting.catch(() => {}); // whoever needs it hears of it
  }

  /**
   * Resolves when it serves.
   * @throws {Error} when it did not start again.
   */
  async serves(): Promise<void> {
    await this.#starting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#starting.catch(() => {}); // told before
    await this.#daemon[Symbol.asyncDispose]();
  }
}
