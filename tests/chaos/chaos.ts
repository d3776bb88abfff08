/**
 * A federation over five wires and two brokers in which everything goes wrong that can: the server,
 * its Workers, its clients and the brokers are killed, the network fails, and messages come twice,
 * late, early and in another order. After every round the model must have each accepted update in it
 * exactly once.
 */

import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../src/client/random.ts";
import { Accounts } from "./accounts.ts";
import { Books } from "./books.ts";
import {
  type Fault,
  Federation,
  type FederationSpec,
  MOST_PAUSE_MS,
  pick,
  ROUND_TIMEOUT_MS,
} from "./federation.ts";
import { Standstill } from "./standstill.ts";
import type { Transcript } from "./transcript.ts";

export interface ChaosSpec extends FederationSpec {
  /** Ends after so many faults, or when `enough` fires. */
  readonly faults: number;
  readonly enough: AbortSignal;
  /** Which to choose from. */
  readonly kinds: readonly Fault[];
  readonly transcript: Transcript | undefined;
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

/** Rounds that everybody must be in once nothing fails any more. */
const LAST_ROUNDS = 3;
/** A round closes at its deadline; in so many of them one has. */
const STALLED_MS = 3 * ROUND_TIMEOUT_MS;

export async function runChaos(spec: ChaosSpec): Promise<ChaosFigures> {
  const { seed, step, signal, transcript } = spec;
  const random = Random.seeded(seed);
  await using federation = await Federation.open(spec);
  const { log, happenings, indices, state, startsMs } = federation;
  void transcript?.follow("server", log);
  void transcript?.follow("client", happenings);
  const accounts = new Accounts(indices, state);
  const wrong: string[] = [];
  const books = new Books({ accounts, log, happenings, wrong, stalledMs: STALLED_MS, signal });
  const faults: Record<string, number> = {};
  try {
    await federation.start();
    await books.round();
    for (let number = 1; number <= spec.faults && !spec.enough.aborted; number++) {
      await delay(random.next() % MOST_PAUSE_MS, undefined, { signal });
      const kind = pick(random, spec.kinds);
      faults[kind] = (faults[kind] ?? 0) + 1;
      const what = `${kind} ${await federation.suffer(kind, random)}`.trim();
      transcript?.tell(what);
      step(number, what);
      await books.look();
      if (wrong.length > 0) break;
    }
    // The run goes on, with everybody: nothing that was done to it lasts.
    await federation.brokersServe();
    transcript?.tell("nothing fails any more");
    if (wrong.length === 0) await books.everybody(indices.keys(), LAST_ROUNDS);
    const code = await federation.stop();
    if (code !== 0) wrong.push(`the server ended with code ${code}`);
  } catch (error) {
    if (!(error instanceof Standstill) && !signal.aborted) throw error;
    wrong.push(error instanceof Standstill ? error.message : "the trial was interrupted");
  }
  await books.look();
  wrong.push(...books.unexpected());
  const turbulence: Record<string, number> = {};
  for (const { message, what } of log.all) {
    if (message === "turbulence") turbulence[String(what)] = (turbulence[String(what)] ?? 0) + 1;
  }
  const { promises, models } = accounts.totals;
  return { faults, turbulence, rounds: books.closed, promises, models, startsMs, wrong };
}
