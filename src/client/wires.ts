/**
 * The wires by which a session can reach its server: keeps account of them, and moves the session
 * to a better one between its rounds. The new connection stands before the old one is left.
 */

import type { Connection } from "../contract/connection.ts";
import type { ClientMessage, Task } from "../contract/federation_pb.ts";
import { DEFAULT_BACKOFF, dialOnce, reach } from "./dialling.ts";
import type { SessionOptions } from "./session_options.ts";
import type { SessionEvent, WireFigures } from "./session_event.ts";
import { Transfers } from "./transfers.ts";
import {
  breakOff,
  callOrder,
  type Choice,
  connected,
  decide,
  type Decided,
  lose,
  newChoice,
  notReached,
  observe,
} from "./wire_choice.ts";
import { costOf, failuresOf, meanOf, type Observation } from "./wire_records.ts";

const DIAL_TIMEOUT_MS = 15_000;
/**
 * A trial's call, its download and its upload may each take so many times what a round costs at
 * home,
 */
export const PATIENCE_FACTOR = 2;
/** and at least so long. */
export const LEAST_PATIENCE_MS = 3000;

/** What a session lets its wires do to it. */
export interface Move {
  /** A Leave for the server to say in this client's place. */
  readonly will: () => ClientMessage;
  /** A connection was made, for which the one in use is to be left; or none could be. */
  readonly moved: (made: boolean) => void;
}

/** A connection that was made, and how. */
interface Made {
  readonly connection: Connection;
  readonly wire: number;
  readonly seconds: number;
  readonly trial: boolean;
}

export class Wires implements AsyncDisposable {
  readonly #options: SessionOptions;
  readonly #session: Move;
  readonly #random: () => number;
  readonly #transfers: Transfers;
  readonly #ended = new AbortController();
  /** Fires when the session is stopped or over. */
  readonly #signal: AbortSignal;
  #choice: Choice;
  /** There is a connection: while one is looked for, no trial is broken off. */
  #stands = false;
  #welcomed = false;
  /** The connection that is being made for a move; undefined where none could be. */
  #made: Promise<Made | undefined> | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;
  /** Why the newest connection was lost, until another is looked for. */
  #lostReason: string | undefined;

  constructor(options: SessionOptions, session: Move) {
    this.#options = options;
    this.#session = session;
    this.#random = options.random ?? Math.random;
    this.#signal = AbortSignal.any([options.signal, this.#ended.signal]);
    this.#choice = newChoice(options.urls.length);
    this.#transfers = new Transfers({
      nowMs: () => performance.now(),
      seen: (seen) => this.#saw(this.#choice.current, seen),
      kept: options.kept,
    });
  }

  /** Another connection is being made or stands: nothing is to be begun on the old one. */
  get moving(): boolean {
    return this.#made !== undefined;
  }

  /**
   * The connection that a move has made, or the first that any wire gives, the best one first.
   * @throws {TypeError} for a URL no wire can read.
   * @throws the signal's reason once it fires.
   */
  async reach(): Promise<Connection> {
    this.#transfers.interrupt();
    this.#stands = false;
    this.#watch();
    const { connection, wire, ...how } = await this.#made ?? await this.#call();
    this.#choice = connected(this.#choice, wire, how);
    this.#made = undefined;
    this.#stands = true;
    this.#welcomed = false;
    this.#watch();
    return connection;
  }

  tasked(task: Task): void {
    this.#transfers.tasked(task);
    this.#watch();
  }

  /** Tells what the session does, and learns from it. */
  observe(event: SessionEvent): void {
    this.#options.observe(event);
    if (event.kind === "welcomed") this.#welcomed = true;
    if (event.kind === "lost") {
      this.#choice = lose(this.#choice);
      this.#stands = false;
      this.#lostReason = event.reason;
    }
    if (this.#transfers.observe(event) && !this.moving && this.#choice.records.length > 1) {
      const bytes = this.#transfers.modelBytes;
      this.#act(decide(this.#choice, { bytes, random: this.#random() }));
    }
    this.#watch();
  }

  #saw(wire: number, seen: Observation): void {
    this.#choice = observe(this.#choice, wire, seen);
  }

  async #call(): Promise<Made> {
    const { urls, backoff = DEFAULT_BACKOFF } = this.#options;
    const order = callOrder(this.#choice, this.#transfers.modelBytes);
    const [first = 0] = order;
    if (this.#lostReason !== undefined && urls.length > 1) {
      this.#tell("fallBack", first, this.#lostReason);
    }
    this.#lostReason = undefined;
    let called = first;
    let beginMs = 0;
    const connection = await reach({
      ...this.#callOptions(DIAL_TIMEOUT_MS),
      urls: order.map((wire) => urls[wire] as URL),
      backoff,
      calling: (url) => {
        called = urls.indexOf(url);
        beginMs = performance.now();
      },
      failed: (url, reason, retryInMs) => {
        this.#saw(called, { kind: "unreachable" });
        this.#options.observe({ kind: "unreachable", url: url.href, reason, retryInMs });
      },
    });
    return { connection, wire: called, seconds: secondsSince(beginMs), trial: false };
  }

  #callOptions(dialTimeoutMs: number) {
    const { clientId, token, ca } = this.#options;
    const will = this.#session.will();
    return { clientId, token, ca, will, signal: this.#signal, dialTimeoutMs };
  }

  /** Begins what was decided on. */
  #act({ state, decision: { kind, to, reason } }: Decided): void {
    this.#choice = state;
    this.#tell(kind, to, reason);
    if (to === state.current) return;
    const made = this.#made = this.#make(to, kind === "try");
    void made.then((done) => {
      if (done === undefined && this.#made === made) this.#made = undefined;
      if (!this.#signal.aborted) this.#session.moved(done !== undefined);
    });
  }

  /** Never rejects. */
  async #make(wire: number, trial: boolean): Promise<Made | undefined> {
    const url = this.#options.urls[wire] as URL;
    const beginMs = performance.now();
    try {
      const patienceMs = Math.min(DIAL_TIMEOUT_MS, this.#patienceMs());
      const connection = await dialOnce(url, this.#callOptions(patienceMs));
      return { connection, wire, seconds: secondsSince(beginMs), trial };
    } catch (error) {
      if (this.#signal.aborted) return undefined;
      this.#choice = notReached(this.#choice, wire);
      const reason = error instanceof Error ? error.message : String(error);
      this.#tell("keep", this.#choice.current, `the other gave no connection: ${reason}`);
      return undefined;
    }
  }

  /**
   * A trial has failed when Welcome, the model or the verdict on the update does not come in time:
   * the rest of a transfer goes by the wire before.
   */
  #watch(): void {
    const { current, home } = this.#choice;
    const waits = this.#stands && (!this.#welcomed || this.#transfers.underWay);
    if (current !== home && waits && !this.moving && !this.#signal.aborted) {
      this.#patience ??= setTimeout(() => this.#breakOff(), this.#patienceMs());
    } else {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    }
  }

  #breakOff(): void {
    this.#patience = undefined;
    if (this.#welcomed) this.#transfers.giveUp();
    else this.#saw(this.#choice.current, { kind: "lost" });
    this.#act(breakOff(this.#choice));
  }

  #patienceMs(): number {
    const { records, home, turn } = this.#choice;
    const record = records[home];
    const cost = record === undefined ? 0 : costOf(record, this.#transfers.modelBytes, turn) ?? 0;
    return Math.max(LEAST_PATIENCE_MS, PATIENCE_FACTOR * 1000 * cost);
  }

  #tell(
    choice: Extract<SessionEvent, { kind: "wireChosen" }>["choice"],
    wire: number,
    reason: string,
  ): void {
    const url = this.#options.urls[wire]?.href ?? "";
    const wires = this.#figures();
    this.#options.observe({ kind: "wireChosen", choice, url, reason, wires });
  }

  #figures(): WireFigures[] {
    const { records, turn } = this.#choice;
    return records.map((record, wire) => {
      const { standing, connect, down, up, usedTurn } = record;
      const rate = (secondsPerByte: number | undefined) =>
        secondsPerByte === undefined ? undefined : 1 / secondsPerByte;
      return {
        url: this.#options.urls[wire]?.href ?? "",
        standing,
        connectSeconds: meanOf(connect),
        downBytesPerSecond: rate(meanOf(down)),
        upBytesPerSecond: rate(meanOf(up)),
        failures: failuresOf(record, turn),
        costSeconds: costOf(record, this.#transfers.modelBytes, turn),
        unusedRounds: turn - usedTurn,
      };
    });
  }

  /** Closes a connection that was made and not taken. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    clearTimeout(this.#patience);
    const unused = await this.#made;
    await unused?.connection[Symbol.asyncDispose]();
  }
}

function secondsSince(beginMs: number): number {
  return (performance.now() - beginMs) / 1000;
}
