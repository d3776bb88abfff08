/**
 * A federation over five wires in which everything goes wrong that can: the server, its Workers and
 * its clients are killed, the network fails, and messages come twice, late, early and in another
 * order. After every round the model must have each accepted update in it exactly once.
 */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../src/client/random.ts";
import { fetchLibrary } from "../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../src/protocols/dds/library.ts";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { Awaitable } from "../support/awaitable.ts";
import { weights } from "../support/federation.ts";
import { Accounts } from "./accounts.ts";
import { BadNetwork, NETWORK_FAULTS } from "./bad_network.ts";
import { type Happening, Members } from "./members.ts";
import { Server, type ServerLine } from "./server.ts";

/** What is done to the federation. */
export const FAULTS = ["kill server", "crash Worker", "kill clients", "bad network"] as const;
export type Fault = typeof FAULTS[number];

export interface ChaosSpec {
  readonly seed: number;
  /** Ends after so many faults, or when `signal` fires. */
  readonly faults: number;
  readonly signal: AbortSignal;
  /** Which to choose from. */
  readonly kinds: readonly Fault[];
  readonly turbulent: boolean;
  /** Told of each fault. */
  readonly step: (number: number, what: string) => void;
}

export interface ChaosFigures {
  readonly faults: Readonly<Record<string, number>>;
  readonly turbulence: Readonly<Record<string, number>>;
  readonly rounds: number;
  /** Times that a client was told that its update counts. */
  readonly promises: number;
  readonly models: number;
  /** From start to listening on every wire, in milliseconds. */
  readonly startsMs: readonly number[];
  readonly wrong: readonly string[];
}

/** Long enough for an update of several parts, more than the window holds. */
const VALUES = 4096;
const MEMBERS_A_WIRE = 2;
const MOST_PAUSE_MS = 600;
/** Rounds that everybody must be in once nothing fails any more. */
const LAST_ROUNDS = 3;
/** TCP alone passes through the bad network. */
const OVER_TCP: ReadonlySet<string> = new Set(["mqtt", "amqp", "grpc"]);

const FLAGS = {
  "rounds": "1000000",
  "keep": "1000000",
  "quorum": "0.5",
  "grace-ms": "300",
  "round-timeout-ms": "20000",
  "heartbeat-interval-ms": "1000",
  "part-bytes": "1024",
  "window-bytes": "4096",
  "web": false,
} as const;

export async function runChaos(spec: ChaosSpec): Promise<ChaosFigures> {
  const { seed, step } = spec;
  const random = Random.seeded(seed);
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "tributary-chaos-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const model = join(directory, "start.safetensors");
  await Deno.writeFile(model, weights(new Array(VALUES).fill(0)));
  const state = join(directory, "state");
  const log = new Awaitable<ServerLine>();
  const happenings = new Awaitable<Happening>();
  const members = PROTOCOLS.length * MEMBERS_A_WIRE;
  const server = stack.use(
    new Server({
      seed,
      turbulent: spec.turbulent,
      flags: {
        ...FLAGS,
        ...ports(),
        model,
        state,
        "min-clients": String(members),
        "dds-library": findLibrary() ?? await fetchLibrary(),
      },
    }, log),
  );
  const startsMs: number[] = [];
  const start = async () => {
    const { urls, tookMs } = await server.start();
    startsMs.push(tookMs);
    return urls;
  };
  const urls = await start();
  const networks: BadNetwork[] = [];
  const crowds: Members[] = [];
  const indices = new Map<string, number>();
  for (const [place, wire] of PROTOCOLS.entries()) {
    let url = urls.find((each) => each.startsWith(`${wire}:`)) ?? "";
    if (OVER_TCP.has(wire)) {
      const network = stack.use(new BadNetwork(url));
      networks.push(network);
      const through = new URL(url);
      through.port = String(network.port);
      url = through.href;
    }
    const seats = Array.from({ length: MEMBERS_A_WIRE }, (_, which) => {
      const index = place * MEMBERS_A_WIRE + which;
      const id = `${wire}-${which}`;
      indices.set(id, index);
      return { id, urls: [url], index };
    });
    const crowd = stack.use(new Members({ members: seats, values: VALUES, seed }, happenings));
    crowds.push(crowd);
    crowd.start();
  }
  const accounts = new Accounts(indices, state);
  const wrong: string[] = [];
  const books = new Books(accounts, { log, happenings, wrong });

  const faults: Record<string, number> = {};
  await books.rounds(1);
  for (let number = 1; number <= spec.faults && !spec.signal.aborted; number++) {
    await delay(random.next() % MOST_PAUSE_MS);
    const kind = pick(random, spec.kinds);
    faults[kind] = (faults[kind] ?? 0) + 1;
    step(number, kind);
    switch (kind) {
      case "kill server":
        await server.kill();
        await start();
        break;
      case "crash Worker":
        server.crash(pick(random, PROTOCOLS));
        break;
      case "kill clients": {
        const crowd = pick(random, crowds);
        await crowd.kill();
        await delay(random.next() % MOST_PAUSE_MS);
        crowd.start();
        break;
      }
      case "bad network":
        pick(random, networks).suffer(pick(random, NETWORK_FAULTS));
        break;
      default:
        kind satisfies never;
    }
    await books.look();
    if (wrong.length > 0) break;
  }
  // The run goes on, with everybody: nothing that was done to it lasts.
  if (wrong.length === 0) await books.wholeRounds(LAST_ROUNDS, members);
  const code = await server.stop();
  if (code !== 0) wrong.push(`the server ended with code ${code}`);
  await Promise.all(crowds.map((crowd) => crowd.kill()));
  await books.look();
  wrong.push(...books.unexpected());
  const turbulence: Record<string, number> = {};
  for (const { message, what } of log.all) {
    if (message === "turbulence") turbulence[String(what)] = (turbulence[String(what)] ?? 0) + 1;
  }
  const { promises, models } = accounts.totals;
  return { faults, turbulence, rounds: books.closed, promises, models, startsMs, wrong };
}

/** Follows both sides' logs, and has each closed round's model looked at. */
class Books {
  readonly #accounts: Accounts;
  readonly #log: Awaitable<ServerLine>;
  readonly #happenings: Awaitable<Happening>;
  readonly #wrong: string[];
  #heard = 0;
  readonly #checked = new Set<number>();

  constructor(
    accounts: Accounts,
    { log, happenings, wrong }: {
      log: Awaitable<ServerLine>;
      happenings: Awaitable<Happening>;
      wrong: string[];
    },
  ) {
    this.#accounts = accounts;
    this.#log = log;
    this.#happenings = happenings;
    this.#wrong = wrong;
  }

  /** The newest round whose model is saved: by this process, or by one that opened it again. */
  get closed(): number {
    const rounds = this.#log.all.filter(({ message }) =>
      message === "model saved" || message === "run restored from its state"
    );
    return Math.max(0, ...rounds.map(({ round }) => Number(round)));
  }

  /** Checks every round that was closed since. Its promises were made before it closed. */
  async look(): Promise<void> {
    for (; this.#heard < this.#happenings.all.length; this.#heard++) {
      const { client, what, round, verdict } = this.#happenings.all[this.#heard] as Happening;
      if (what !== "uploaded") continue;
      const promised = { client, round: Number(round) };
      this.#accounts.heard(promised, verdict);
      // Told later than its round was looked at.
      if (this.#checked.has(promised.round)) this.#checked.delete(promised.round);
    }
    for (let round = 1; round <= this.closed; round++) {
      if (this.#checked.has(round)) continue;
      this.#checked.add(round);
      this.#wrong.push(...await this.#accounts.check(round));
    }
  }

  /** Resolves when so many more rounds were closed. */
  async rounds(count: number): Promise<void> {
    const last = this.closed + count;
    await this.#log.find(({ message, round }) =>
      message === "model saved" && Number(round) >= last
    );
  }

  /** Resolves when so many rounds were closed with everybody's update, from now on. */
  async wholeRounds(count: number, clients: number): Promise<void> {
    const from = this.#log.all.length;
    for (let whole = 0, next = from; whole < count; whole++) {
      const line = await this.#log.find(
        (each) => (each.message === "round closed" && each.clients === clients),
        next,
      );
      next = this.#log.all.indexOf(line) + 1;
    }
    await this.look();
  }

  /** Clients that gave up, and what the wires' turbulence found wrong. */
  unexpected(): string[] {
    const failed = this.#happenings.all.filter(({ what }) =>
      what === "failed" || what === "finished"
    )
      .map(({ client, what, reason }) => `${client} ${what}: ${reason}`);
    const wrong = this.#log.all.filter(({ message }) => message === "wrong")
      .map(({ sentence }) => String(sentence));
    return [...failed, ...wrong];
  }
}

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[random.next() % choices.length] as T;
}

/** The same for every life of the server. */
function ports(): Record<string, string> {
  const listeners = PROTOCOLS.map(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const chosen = PROTOCOLS.map((wire, index) => [
    `${wire}-port`,
    String(listeners[index]?.addr.port),
  ]);
  for (const listener of listeners) listener.close();
  return Object.fromEntries(chosen);
}
