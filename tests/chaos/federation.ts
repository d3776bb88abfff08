/** The federation that the trial is made of: a server, clients on every wire, and ways to hurt them. */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../../src/client/random.ts";
import { fetchLibrary } from "../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../src/protocols/dds/library.ts";
import { type BrokerName, PROTOCOLS } from "../../src/protocols/mod.ts";
import { Awaitable } from "../support/awaitable.ts";
import { weights } from "../support/federation.ts";
import { lastingPort } from "../support/lasting_port.ts";
import { BadNetwork, NETWORK_FAULTS } from "./bad_network.ts";
import { Broker } from "./brokers.ts";
import { type Happening, Members } from "./members.ts";
import { Server, type ServerLine } from "./server.ts";
import { within } from "./standstill.ts";

/** What is done to the federation. */
export const FAULTS = [
  "kill server",
  "crash Worker",
  "kill clients",
  "bad network",
  "kill broker",
] as const;
export type Fault = typeof FAULTS[number];

/** Long enough for an update of several parts, more than the window holds. */
const VALUES = 4096;
const MEMBERS_A_WIRE = 2;
export const MOST_PAUSE_MS = 600;
export const ROUND_TIMEOUT_MS = 20_000;
/** DDS alone does not pass through the bad network, nor QUIC: they are not TCP. */
const OVER_TCP: ReadonlySet<string> = new Set([
  "mqtt",
  "amqp",
  "grpc",
  "mqtt@broker",
  "amqp@broker",
]);
/** Of the brokers that are killed, one in so many is the one that takes seconds to start again. */
const SLOW_BROKER: BrokerName = "amqp@broker";
const SLOW_BROKER_EVERY = 5;

const FLAGS = {
  "rounds": "1000000",
  "keep": "1000000",
  "quorum": "0.5",
  "grace-ms": "300",
  "round-timeout-ms": String(ROUND_TIMEOUT_MS),
  "heartbeat-interval-ms": "1000",
  "part-bytes": "1024",
  "window-bytes": "4096",
  "web": false,
} as const;

/** How long the server, or a broker, may take to serve or to go. */
const MOST_START_MS = 60_000;

export interface FederationSpec {
  readonly seed: number;
  readonly turbulent: boolean;
  /** Through which clients come beside the server's own endpoints. */
  readonly brokers: readonly BrokerName[];
  /** The operator wants no more of the trial. */
  readonly signal: AbortSignal;
}

export class Federation implements AsyncDisposable {
  readonly log = new Awaitable<ServerLine>();
  readonly happenings = new Awaitable<Happening>();
  /** By client: the place of its update. */
  readonly indices = new Map<string, number>();
  /** From start to listening on every wire, in milliseconds. */
  readonly startsMs: number[] = [];
  readonly #spec: FederationSpec;
  readonly #directory: string;
  readonly #stack = new AsyncDisposableStack();
  readonly #networks: BadNetwork[] = [];
  readonly #crowds: Members[] = [];
  readonly #brokers: Broker[] = [];
  #server: Server | undefined;

  private constructor(spec: FederationSpec, directory: string) {
    this.#spec = spec;
    this.#directory = directory;
    this.#stack.defer(() => Deno.remove(directory, { recursive: true }));
  }

  /** Nobody is started yet, so that what they say can be followed from its beginning. */
  static async open(spec: FederationSpec): Promise<Federation> {
    return new Federation(spec, await Deno.makeTempDir({ prefix: "tributary-chaos-" }));
  }

  /** Of the server. */
  get state(): string {
    return join(this.#directory, "state");
  }

  /** Resolves when clients can reach the server; they are on their way to it. */
  async start(): Promise<void> {
    const { seed, turbulent } = this.#spec;
    await Promise.all(this.#spec.brokers.map(async (wire) => {
      this.#brokers.push(this.#stack.use(await Broker.start(wire)));
    }));
    const wires = [...PROTOCOLS, ...this.#spec.brokers];
    const model = join(this.#directory, "start.safetensors");
    await Deno.writeFile(model, weights(new Array(VALUES).fill(0)));
    const server = this.#server = this.#stack.use(
      new Server({
        seed,
        turbulent,
        flags: {
          ...FLAGS,
          ...ports(),
          ...Object.fromEntries(this.#brokers.map(({ flag }) => flag)),
          model,
          state: this.state,
          "min-clients": String(wires.length * MEMBERS_A_WIRE),
          "dds-library": findLibrary() ?? await fetchLibrary(),
        },
      }, this.log),
    );
    const urls = await this.#serve(server);
    for (const [place, wire] of wires.entries()) {
      const broker = this.#brokers.find((each) => each.wire === wire);
      const part = broker === undefined ? `${wire}:` : `:${broker.port}/`;
      const url = this.#through(wire, find(urls, part));
      const seats = Array.from({ length: MEMBERS_A_WIRE }, (_, which) => {
        const index = place * MEMBERS_A_WIRE + which;
        const id = `${wire.replace("@", "-")}-${which}`;
        this.indices.set(id, index);
        return { id, urls: [url], index };
      });
      const spec = { members: seats, values: VALUES, seed };
      const crowd = this.#stack.use(new Members(spec, this.happenings));
      this.#crowds.push(crowd);
      crowd.start();
    }
  }

  async #serve(server: Server): Promise<readonly string[]> {
    const { urls, tookMs } = await this.#soon(server.start(), "the server does not listen");
    this.startsMs.push(tookMs);
    return urls;
  }

  /** @throws {Standstill} when it does not come about. */
  async #soon<T>(work: Promise<T>, sentence: string): Promise<T> {
    const { signal } = this.#spec;
    return await within(work, { mostMs: MOST_START_MS, sentence, signal });
  }

  /** The way to an address, which may fail where it is TCP. */
  #through(wire: string, url: string): string {
    if (!OVER_TCP.has(wire)) return url;
    const network = this.#stack.use(new BadNetwork(url));
    this.#networks.push(network);
    const through = new URL(url);
    through.port = String(network.port);
    return through.href;
  }

  /** Resolves with who or what it was done to, once it is. What was killed is on its way back. */
  async suffer(fault: Fault, random: Random): Promise<string> {
    const server = this.#server;
    if (server === undefined) throw new Error("Cannot suffer: the federation was not started");
    switch (fault) {
      case "kill server":
        await server.kill();
        await this.#serve(server);
        return "";
      case "crash Worker": {
        const wire = pick(random, [...PROTOCOLS, ...this.#spec.brokers]);
        server.crash(wire);
        return wire;
      }
      case "kill clients": {
        const crowd = pick(random, this.#crowds);
        await crowd.kill();
        await delay(random.next() % MOST_PAUSE_MS);
        crowd.start();
        return crowd.names;
      }
      case "bad network": {
        const which = random.next() % this.#networks.length;
        const how = pick(random, NETWORK_FAULTS);
        this.#networks[which]?.suffer(how);
        return `${how} ${[...OVER_TCP][which]}`;
      }
      case "kill broker": {
        const isSlow = random.next() % SLOW_BROKER_EVERY === 0;
        const fitting = this.#brokers.filter(({ wire }) => (wire === SLOW_BROKER) === isSlow);
        const broker = pick(random, fitting.length > 0 ? fitting : this.#brokers);
        await broker.kill(random.next() % MOST_PAUSE_MS);
        return broker.wire;
      }
      default:
        return fault satisfies never;
    }
  }

  /**
   * Resolves when all brokers serve.
   * @throws {Error} when one did not start again.
   */
  async brokersServe(): Promise<void> {
    const all = Promise.all(this.#brokers.map((broker) => broker.serves()));
    await this.#soon(all, "a broker does not start again");
  }

  /**
   * Lets the server say goodbye, and ends the clients. Resolves with the server's exit code.
   * @throws {Standstill} when the server does not go.
   */
  async stop(): Promise<number | undefined> {
    const server = this.#server;
    const code = server && await this.#soon(server.stop(), "the server does not stop");
    await Promise.all(this.#crowds.map((crowd) => crowd.kill()));
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** The first address with this in it. */
function find(urls: readonly string[], part: string): string {
  const url = urls.find((each) => each.includes(part));
  if (url === undefined) throw new Error(`No address has ${part} in it: ${urls.join(", ")}`);
  return url;
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.next() % choices.length] as T;
}

/** The same for every life of the server. */
function ports(): Record<string, string> {
  return Object.fromEntries(PROTOCOLS.map((wire) => [`${wire}-port`, String(lastingPort())]));
}
