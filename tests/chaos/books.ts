/** What both sides said, and what it amounts to: closed rounds, models, and whether the run goes on. */

import type { Awaitable } from "../support/awaitable.ts";
import type { Accounts } from "./accounts.ts";
import type { Happening } from "./members.ts";
import type { ServerLine } from "./server.ts";
import { Standstill, within } from "./standstill.ts";

export interface BooksOptions {
  readonly accounts: Accounts;
  readonly log: Awaitable<ServerLine>;
  readonly happenings: Awaitable<Happening>;
  /** Gets what is found wrong, a sentence each. */
  readonly wrong: string[];
  /** Without a closed round for so long, the run does not go on. */
  readonly stalledMs: number;
  readonly signal: AbortSignal;
}

/** Closed rounds among which somebody must be for as many as are waited for, or is left out. */
const PATIENCE = 40;

/** The run does not end while the trial lasts, nor does any client but by the trial's hand. */
const UNEXPECTED: ReadonlySet<string> = new Set(["failed", "finished", "ended"]);

/** Of the server's going on, and of its end. */
const SIGNS: ReadonlySet<string> = new Set(["round closed", "ended"]);

export class Books {
  readonly #options: BooksOptions;
  #heard = 0;
  readonly #checked = new Set<number>();

  constructor(options: BooksOptions) {
    this.#options = options;
  }

  /** The newest round whose model is saved: by this process, or by one that opened it again. */
  get closed(): number {
    const rounds = this.#options.log.all.filter(({ message }) =>
      message === "model saved" || message === "run restored from its state"
    );
    return Math.max(0, ...rounds.map(({ round }) => Number(round)));
  }

  /** Checks every round that was closed since. Its promises were made before it closed. */
  async look(): Promise<void> {
    const { accounts, happenings, wrong } = this.#options;
    for (; this.#heard < happenings.all.length; this.#heard++) {
      const { client, what, round, verdict } = happenings.all[this.#heard] as Happening;
      if (what !== "uploaded") continue;
      const promised = { client, round: Number(round) };
      accounts.heard(promised, verdict);
      // Told later than its round was looked at.
      if (this.#checked.has(promised.round)) this.#checked.delete(promised.round);
    }
    for (let round = 1; round <= this.closed; round++) {
      if (this.#checked.has(round)) continue;
      this.#checked.add(round);
      wrong.push(...await accounts.check(round));
    }
  }

  /**
   * Resolves when one more round was closed.
   * @throws {Standstill} when none will be.
   */
  async round(): Promise<void> {
    await this.#next(({ message }) => message === "round closed", this.#options.log.all.length);
  }

  /**
   * Resolves when each of the clients counted in so many rounds more, from now on. They need not be
   * the same: who is slower than quorum and grace sits a round out.
   * @throws {Standstill} when that does not come about.
   */
  async everybody(clients: Iterable<string>, count: number): Promise<void> {
    const due = new Map([...clients].map((client) => [client, count]));
    let next = this.#options.log.all.length;
    for (let rounds = 0; due.size > 0;) {
      const line = await this.#next(
        ({ message }) => message === "update accepted" || message === "round closed",
        next,
      );
      next = this.#options.log.all.indexOf(line) + 1;
      if (line.message === "round closed") {
        if (++rounds >= PATIENCE * count) {
          const names = [...due.keys()].join(", ");
          throw new Standstill(`${rounds} rounds were closed, and hardly any with ${names}`);
        }
        continue;
      }
      const client = String(line.client);
      const left = (due.get(client) ?? 0) - 1;
      if (left > 0) due.set(client, left);
      else due.delete(client);
    }
    await this.look();
  }

  /** What must not have been said: clients that gave up, what ended by itself, what wires found wrong. */
  unexpected(): string[] {
    const { log, happenings } = this.#options;
    const clients = happenings.all.filter(({ what }) => UNEXPECTED.has(what))
      .map(({ client, what, reason }) => `${client} ${what}: ${reason}`);
    const server = log.all.flatMap(({ message, sentence, signal, code, reason }) => {
      if (message === "wrong") return [String(sentence)];
      const isGone = message === "ended" && signal !== "SIGKILL" && code !== 0;
      return isGone ? [`the server ended: ${reason}`] : [];
    });
    return [...clients, ...server];
  }

  /** The first line of the server's that fits; never one of a server that is gone by itself. */
  async #next(fits: (line: ServerLine) => boolean, from: number): Promise<ServerLine> {
    const { log, stalledMs: mostMs, signal } = this.#options;
    const sentence = `no round was closed for ${mostMs / 1000} s`;
    for (let next = from;;) {
      const line = await within(
        log.find((each) => fits(each) || SIGNS.has(each.message), next),
        { mostMs, sentence, signal },
      );
      if (line.message === "ended") throw new Standstill(`the server ended: ${line.reason}`);
      if (fits(line)) return line;
      next = log.all.indexOf(line) + 1;
    }
  }
}
