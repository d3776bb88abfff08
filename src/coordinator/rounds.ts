/** Carries out what the round machine decides: tasks, timers, the vault, the next model. */

import { serverMessage } from "../contract/codec.ts";
import { TaskKind } from "../contract/federation_pb.ts";
import type { Assigned, Metrics, RoundRecord } from "../vault/ledger.ts";
import type { MadeRound } from "../vault/vault.ts";
import type { Admission } from "./admission.ts";
import type { Timer } from "./clock.ts";
import { deadlineMs, NEWEST_ROUNDS } from "./deadline.ts";
import { Evaluations } from "./evaluations.ts";
import { Finale } from "./finale.ts";
import { type CoordinatorOptions, sentence } from "./options.ts";
import type { Outbox } from "./outbox.ts";
import type { Client, Roster } from "./roster.ts";
import {
  type CloseCause,
  type Effect,
  type OpenRound,
  resumedRun,
  type RunEvent,
  type RunState,
  step,
  type Stop,
} from "./round.ts";
import { stopReason } from "./stopping.ts";

/** The rooms that rounds go in and out of. */
export interface RoundRooms {
  readonly roster: Roster;
  readonly admission: Admission;
  readonly outbox: Outbox;
}

export class Rounds implements AsyncDisposable {
  readonly #options: CoordinatorOptions;
  readonly #roster: Roster;
  readonly #admission: Admission;
  readonly #outbox: Outbox;
  readonly evaluations: Evaluations;
  readonly finale: Finale;
  #state: RunState;
  #history: readonly RoundRecord[];
  #begunMs: number;
  #deadlineMs: number;
  /** How long the newest rounds took, also those that are not saved yet. */
  #seconds: readonly number[];
  /** The open round was begun before: by an earlier process, or in vain. */
  #again = false;
  #timers: Timer[] = [];
  /** Saving, hashing and evaluating of closed rounds, beside the next one. */
  #aftermath: Promise<unknown> = Promise.resolve();
  /** All that is under way. */
  readonly #work = new Set<Promise<void>>();
  #over = false;

  constructor(options: CoordinatorOptions, { roster, admission, outbox }: RoundRooms) {
    const { plan, opened, evaluation, clock } = options;
    this.#options = options;
    this.#roster = roster;
    this.#admission = admission;
    this.#outbox = outbox;
    this.#history = opened.history;
    this.#begunMs = clock.nowMs();
    this.#deadlineMs = options.roundTimeoutMs;
    this.#seconds = opened.history.slice(-NEWEST_ROUNDS).map((record) => record.seconds);
    this.evaluations = new Evaluations({
      ...evaluation,
      seed: plan.seed,
      roster,
      outbox,
      clock,
      evaluated: (round, { samples, metrics }, clients) =>
        this.#watch(this.#evaluated(round, metrics, { by: "clients", samples, clients })),
    });
    this.finale = new Finale({
      options,
      roster,
      outbox,
      metrics: () => this.#history.at(-1)?.evaluation ?? {},
      awaited: () => presentIn(this.#state.members) > 0,
      over: () => this.#step({ kind: "finished" }),
    });
    const { state, effects } = resumedRun(plan, {
      ...opened,
      clients: opened.sessions,
      ending: opened.ending as Stop | undefined,
    });
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    if (state.phase === "gathering") this.#gathering();
  }

  get state(): RunState {
    return this.#state;
  }

  /** The round that was open when the process began had been so in another one. */
  get isResumed(): boolean {
    return this.#options.opened.open !== undefined;
  }

  get history(): readonly RoundRecord[] {
    return this.#history;
  }

  /** Of the newest model, once it is hashed; undefined before. */
  sha256(round: number): string | undefined {
    return this.#history.find((record) => record.round === round)?.sha256;
  }

  join(client: Client): void {
    this.#step({ kind: "joined", client: client.id, samples: client.samples });
  }

  /** Nobody waits for this client any more; it may come back. */
  leave(clientId: string): void {
    this.evaluations.lose(clientId);
    this.#step({ kind: "left", client: clientId });
    this.finale.review();
  }

  converge(clientId: string): void {
    this.#step({ kind: "converged", client: clientId });
  }

  answered(clientId: string, taskId: number): void {
    this.#step({ kind: "answered", client: clientId, taskId });
  }

  /** Brings a client that can be reached anew the model, and tells it whatever is still to do. */
  bringUpToDate(client: Client): void {
    const { open, phase, closedRounds } = this.#state;
    this.#outbox.supply(client, closedRounds);
    if (phase === "training" && open?.assignments.get(client.id)?.state === "open") {
      this.#assign(client, open);
    }
    this.evaluations.tell(client);
    this.finale.tell(client);
  }

  #step(event: RunEvent): void {
    if (this.#over) return;
    const { phase, members } = this.#state;
    const { state, effects } = step(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    if (phase !== "gathering" && this.#state.phase === "gathering") this.#gathering();
    if (event.kind === "left" && presentIn(members) > 0 && presentIn(this.#state.members) === 0) {
      this.#options.events.deserted({ phase: this.#state.phase, round: this.#state.closedRounds });
    }
  }

  #gathering(): void {
    const clients = presentIn(this.#state.members);
    this.#options.events.gathering({ clients, wanted: this.#options.plan.minClients });
  }

  #carryOut(effect: Effect): void {
    const { vault, clock, graceMs } = this.#options;
    switch (effect.kind) {
      case "begin":
        this.#watch(vault.begin(effect.open.round, assignedIn(effect.open)));
        return this.#start(effect.open);
      case "resume":
        this.#again = true;
        return this.#start(effect.open);
      case "reassign": {
        const client = this.#roster.get(effect.client);
        const { open } = this.#state;
        if (client !== undefined && open !== undefined) this.#assign(client, open);
        return;
      }
      case "startGrace": {
        const { round } = effect;
        this.#timers.push(clock.after(graceMs, () => this.#step({ kind: "graceOver", round })));
        return;
      }
      case "close":
        this.#stopTimers();
        this.#admission.clear();
        return this.#watch(this.#close(effect.round, effect.cause));
      case "abandon":
        this.#stopTimers();
        this.#admission.clear();
        this.#roster.uncount(effect.round);
        this.#again = true;
        return this.#watch(vault.abandon(effect.round));
      case "finish":
        this.#stopTimers();
        return this.#watch(this.#finish(effect.reason));
      case "end":
        return this.#watch(this.finale.end());
      default:
        effect satisfies never;
    }
  }

  #start(open: OpenRound): void {
    const { clock, events } = this.#options;
    const { round, assignments } = open;
    this.#begunMs = clock.nowMs();
    this.#deadlineMs = deadlineMs(this.#options, this.#seconds, this.#again);
    this.#timers.push(
      clock.after(this.#deadlineMs, () => this.#step({ kind: "deadline", round })),
    );
    events.roundStarted({ round, clients: assignments.size });
    for (const id of assignments.keys()) {
      const client = this.#roster.get(id);
      if (client !== undefined) this.#assign(client, open);
    }
  }

  #assign(client: Client, open: OpenRound): void {
    const assignment = open.assignments.get(client.id);
    if (assignment === undefined) return;
    const { clock, settings } = this.#options;
    const leftMs = this.#deadlineMs - (clock.nowMs() - this.#begunMs);
    const task = {
      taskId: assignment.taskId,
      kind: TaskKind.TRAIN,
      round: open.round,
      modelRound: open.round - 1,
      deadlineMs: Math.max(1, Math.round(leftMs)),
      settings: { ...settings(open.round, client.id) },
    };
    this.#outbox.tell(client, serverMessage({ body: { case: "task", value: task } }).body);
    this.#outbox.supply(client, open.round - 1);
  }

  /** The way from the last update to the next model: what can wait, waits. */
  async #close(round: number, cause: CloseCause): Promise<void> {
    const { vault, clock, events, evaluate } = this.#options;
    const selected = this.#state.open?.assignments.size ?? 0;
    const made = await vault.close(round);
    const seconds = (clock.nowMs() - this.#begunMs) / 1000;
    const copies = await this.#copies(round, evaluate === undefined ? 0 : 1);
    if (this.#over) return; // what the vault has decided it makes and saves when it opens again
    const own = evaluate === undefined ? undefined : copies.pop();
    const holding = this.#outbox.hold(round, copies);
    const { clients, samples } = made;
    events.roundClosed({ round, cause, clients: clients.length, selected, samples, seconds });
    this.#announce(made);
    const after = this.#after(round, seconds, own);
    this.#aftermath = Promise.all([this.#aftermath, holding, after]);
    this.#watch(this.#aftermath);
    this.#again = false;
    this.#seconds = [...this.#seconds, seconds].slice(-NEWEST_ROUNDS);
    this.#step({ kind: "closed", round });
    const present = [...this.#state.members].filter(([, member]) => member.present);
    this.evaluations.start(round, present.map(([client]) => client));
  }

  /** One for each wire, also for those that came while they were made, and `more`. */
  async #copies(round: number, more: number): Promise<ArrayBuffer[]> {
    for (;;) {
      const count = this.#outbox.wires.length + more;
      const copies = await this.#options.vault.copies(round, count);
      if (this.#outbox.wires.length + more <= count) return copies;
    }
  }

  #announce({ round, clients, samples, training }: MadeRound): void {
    const value = {
      round,
      clients: clients.length,
      samples: BigInt(samples),
      metrics: { ...training },
    };
    const { body } = serverMessage({ body: { case: "roundClosed", value } });
    for (const client of this.#roster.all()) this.#outbox.tell(client, body);
  }

  async #after(round: number, seconds: number, own: ArrayBuffer | undefined): Promise<void> {
    const { vault, clock, events, evaluate, opened } = this.#options;
    const begunMs = clock.nowMs();
    const evaluating = own === undefined ? undefined : evaluate?.(own).catch((error) => {
      const what = `evaluation of model ${round}`;
      events.serverFailed({ what, reason: sentence(error) });
      return undefined; // no answer is no value
    });
    const record = await vault.save(round, seconds);
    this.#history = [...this.#history, record].slice(-this.#options.keepRounds);
    const saveSeconds = (clock.nowMs() - begunMs) / 1000;
    const { sha256 } = record;
    events.modelSaved({ round, sha256, bytes: opened.model.bytes, seconds: saveSeconds });
    const evaluation = await evaluating;
    if (evaluation === undefined) return;
    const { samples, metrics } = evaluation;
    await this.#evaluated(round, metrics, { by: "server", samples });
  }

  /** The server's own evaluation speaks for a model where there is one, else the clients'. */
  async #evaluated(
    round: number,
    given: Metrics,
    how: { by: "server" | "clients"; samples: number; clients?: number },
  ): Promise<void> {
    const metrics = finiteOf(given);
    const { loss, accuracy } = metrics;
    this.#options.events.evaluated({ round, ...how, loss, accuracy });
    if (how.by === "clients" && this.#options.evaluate !== undefined) return;
    await this.#options.vault.evaluated(round, metrics);
    this.#history = this.#history.map((record) =>
      record.round === round ? { ...record, evaluation: metrics } : record
    );
    const known = this.#history.map((record) => record.evaluation)
      .filter((each) => Object.keys(each).length > 0);
    const reason = stopReason(this.#options.stopping, known);
    if (reason !== undefined) this.#step({ kind: "stop", reason });
  }

  async #finish(reason: Stop): Promise<void> {
    await this.#aftermath;
    await this.evaluations.settled;
    if (this.#over) return; // stopped before its end: the run goes on from its state directory
    await this.finale.begin(this.#state.closedRounds, reason);
  }

  #stopTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  /** The vault's failure is the run's: nothing may be accepted that cannot be kept. */
  #watch(work: Promise<unknown>): void {
    const watched: Promise<void> = work.then(() => {}, (error) => this.fail(error))
      .finally(() => this.#work.delete(watched));
    this.#work.add(watched);
  }

  /** The run cannot go on. Said once. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#end();
    this.#options.events.vaultFailed({ reason: sentence(error) });
    this.finale.fail(new Error(`The run cannot go on: ${sentence(error)}`, { cause: error }));
  }

  /** Nothing happens any more. */
  #end(): void {
    this.#over = true;
    this.#stopTimers();
    this.evaluations[Symbol.dispose]();
    this.finale[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

/** JSON, and so the ledger, knows no infinity: it would be read back as null. */
function finiteOf(metrics: Metrics): Metrics {
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));
}

function presentIn(members: RunState["members"]): number {
  return [...members.values()].filter((member) => member.present).length;
}

function assignedIn(open: OpenRound): Assigned[] {
  return [...open.assignments].map(([client, { taskId, samples }]) => ({
    client,
    taskId,
    samples,
  }));
}
