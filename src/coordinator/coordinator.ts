/** Federated learning over whatever wires there are: takes what arrives, drives the rounds, knows no wire. */

import { serverMessage } from "../contract/codec.ts";
import { type ClientMessage, ClosingReason, Verdict } from "../contract/federation_pb.ts";
import type {
  Address,
  Answer,
  Arrival,
  Link,
  Route,
  Upcalls,
  WireName,
} from "../contract/protocol_server.ts";
import { observeWire } from "../events.ts";
import type { RoundRecord } from "../vault/ledger.ts";
import { Admission } from "./admission.ts";
import type { Timer } from "./clock.ts";
import { Judge } from "./judge.ts";
import { isRefusal, type Judgement, refuse } from "./judgement.ts";
import { type CoordinatorOptions, type Outcome, sentence, SILENT_INTERVALS } from "./options.ts";
import { Outbox } from "./outbox.ts";
import { closing } from "./replies.ts";
import { Roster } from "./roster.ts";
import type { RunState } from "./round.ts";
import { Rounds } from "./rounds.ts";
import { waitingFor } from "./waiting.ts";

export class Coordinator implements AsyncDisposable {
  readonly #options: CoordinatorOptions;
  readonly #roster: Roster;
  readonly #admission: Admission;
  readonly #outbox: Outbox;
  readonly #rounds: Rounds;
  readonly #judge: Judge;
  readonly #openedMs: number;
  #sweeping: Timer | undefined;

  constructor(options: CoordinatorOptions) {
    const { limits, clock, opened, events, plan, name } = options;
    this.#options = options;
    this.#openedMs = clock.nowMs();
    this.#roster = new Roster({ maxClients: limits.maxClients, events });
    const counted = new Map(opened.counted.map((each) => [each.client, each]));
    for (const row of opened.sessions) {
      this.#roster.restore(row, { nowMs: this.#openedMs, counted: counted.get(row.client) });
    }
    this.#admission = new Admission(limits, clock);
    this.#outbox = new Outbox({
      runId: opened.runId,
      sendTimeoutMs: SILENT_INTERVALS * limits.heartbeatIntervalMs,
      maxUnsentMessages: limits.maxUnsentMessages,
      overflowed: (route) => this.#endRoute(route, "its client does not read"),
      failed: (what, error) => events.serverFailed({ what, reason: sentence(error) }),
    });
    const { runId, closedRounds: round } = opened;
    const clients = opened.sessions.filter((each) => each.present).length;
    if (opened.open !== undefined || round > 0 || clients > 0) {
      events.runRestored({ runId, round, updates: opened.open?.answered.length ?? 0, clients });
    }
    for (const update of opened.lost) events.updateLost(update);
    if (opened.swept.files > 0) events.stateSwept(opened.swept);
    events.runStarted({ runId, name, round, rounds: plan.rounds });
    const rooms = { roster: this.#roster, admission: this.#admission, outbox: this.#outbox };
    this.#rounds = new Rounds(options, rooms);
    this.#judge = new Judge(options, { ...rooms, rounds: this.#rounds });
    this.#sweepLater();
  }

  /** Resolves when every client confirmed the final model, or had its time; rejects when the run cannot go on. */
  get finished(): Promise<Outcome> {
    return this.#rounds.finale.outcome;
  }

  // ------------------------------------------------------------------ wires

  /** Starts a wire's server with the newest model, and takes what arrives on it. */
  async attach(wire: WireName, link: Link): Promise<readonly Address[]> {
    let round: number;
    let copies: ArrayBuffer[];
    do { // a round may close meanwhile
      round = this.closedRounds;
      copies = await this.#options.vault.copies(round, 1);
    } while (round !== this.closedRounds);
    const listening = link.listen(this.#upcalls(wire));
    this.#outbox.addLink(wire, link);
    const [bytes] = copies;
    // Held before the first client can be heard; a link that dies meanwhile says so by `listening`.
    if (bytes !== undefined) link.hold({ round, bytes }).catch(() => {});
    return await listening;
  }

  #upcalls(wire: WireName): Upcalls {
    return {
      deliver: (arrival) => this.#deliver(arrival),
      observe: (event) => observeWire(this.#options.events, wire, event),
    };
  }

  /** A wire's server is gone, and every route of it. */
  detach(wire: WireName, reason: string): void {
    this.#outbox.removeLink(wire);
    for (const client of this.#roster.onWire(wire)) {
      const lost = client.routes.filter((route) => route.wire === wire);
      for (const route of lost) this.#detached(route, reason);
    }
    this.#roster.forget(wire);
  }

  #detached(route: Route, reason: string): void {
    const client = this.#roster.end(route, reason);
    // Another route of the client takes over what this one was to bring.
    if (client !== undefined && client.routes.length > 0) this.#rounds.bringUpToDate(client);
  }

  // ------------------------------------------------------------------ arrivals

  async #deliver(arrival: Arrival): Promise<Answer | undefined> {
    const { route } = arrival;
    switch (arrival.kind) {
      case "detached":
        this.#detached(route, arrival.reason);
        return undefined;
      case "revoked":
        this.#judge.revoke(arrival);
        return undefined;
      case "unreadable": {
        const refusal = refuse(Verdict.MALFORMED, arrival.detail);
        this.#tellRefusal(route, this.#roster.on(route)?.id, undefined, refusal);
        return this.#answer(0, refusal);
      }
      case "message": {
        const { clientId, sequence, body } = arrival.message;
        const judgement = await this.#judge.judge(route, arrival.message);
        if (isRefusal(judgement)) this.#tellRefusal(route, clientId, body, judgement);
        return sequence === 0 ? undefined : this.#answer(sequence, judgement);
      }
      default:
        return arrival satisfies never;
    }
  }

  #answer(sequence: number, judgement: Judgement): Answer {
    const { runId } = this.#options.opened;
    const value = { ...judgement, sequence };
    return serverMessage({ runId, body: { case: "receipt", value } }) as Answer;
  }

  #tellRefusal(
    { wire }: Route,
    client: string | undefined,
    body: ClientMessage["body"] | undefined,
    { verdict, detail = "" }: Judgement,
  ): void {
    const { events } = this.#options;
    const refusal = { client, wire, verdict, detail };
    if (body?.case === "updatePart") {
      events.updateRefused({ ...refusal, round: body.value.modelRound + 1 });
    } else events.messageRefused(refusal);
  }

  // ------------------------------------------------------------------ time

  #sweepLater(): void {
    const { clock, limits } = this.#options;
    this.#sweeping = clock.after(limits.heartbeatIntervalMs, () => {
      this.#sweep();
      this.#sweepLater();
    });
  }

  /** Who was silent for three intervals is gone, but for who works on a standing connection. */
  #sweep(): void {
    const { clock, limits } = this.#options;
    const oldestMs = clock.nowMs() - SILENT_INTERVALS * limits.heartbeatIntervalMs;
    const { members, open } = this.#rounds.state;
    for (const [id, member] of members) {
      const client = this.#roster.get(id);
      // A client of a run that goes on after a restart has as long to come back.
      const heardMs = client?.lastHeardMs ?? this.#openedMs;
      if (!member.present || heardMs >= oldestMs) continue;
      const routes = client?.routes ?? [];
      if (open?.assignments.get(id)?.state === "open" && routes.length > 0) continue;
      const detail = `silent for ${SILENT_INTERVALS} heartbeat intervals`;
      this.#judge.left(id, "silent", detail);
      for (const route of routes) this.#endRoute(route, detail);
    }
    for (const id of this.#admission.expire()) this.#judge.discard(id);
  }

  #endRoute(route: Route, detail: string): void {
    this.#roster.end(route, detail);
    this.#outbox.drop(route, detail);
  }

  // ------------------------------------------------------------------ for the operator

  get runId(): string {
    return this.#options.opened.runId;
  }

  get closedRounds(): number {
    return this.#rounds.state.closedRounds;
  }

  get phase(): RunState["phase"] {
    return this.#rounds.state.phase;
  }

  /** In words; undefined when the run waits for nobody. */
  get waitingFor(): string | undefined {
    return waitingFor(this.#rounds.state);
  }

  get history(): readonly RoundRecord[] {
    return this.#rounds.history;
  }

  /** Everybody with a session: by which wires, silent for how long, doing what. */
  clients(): { id: string; wires: string[]; samples: number; silentMs: number; state: string }[] {
    const nowMs = this.#options.clock.nowMs();
    const { open, members } = this.#rounds.state;
    return this.#roster.all().map(({ id, routes, samples, lastHeardMs }) => {
      const member = members.get(id);
      const idle = member?.converged ? "converged" : member?.present ? "idle" : "gone";
      return {
        id,
        wires: routes.map((route) => route.wire),
        samples,
        silentMs: Math.round(nowMs - lastHeardMs),
        state: open?.assignments.get(id)?.state ?? idle,
      };
    });
  }

  /** Ends a run that cannot go on: `finished` rejects. */
  fail(error: Error): void {
    this.#rounds.fail(error);
  }

  /** Tells every client that the server goes away. Resolves when that has left: close the wires next. */
  async farewell(reason: "restart" | "shutdown", detail: string): Promise<void> {
    const restart = reason === "restart";
    const code = restart ? ClosingReason.RESTART : ClosingReason.SHUTDOWN;
    const retryAfterMs = restart ? 1000 : 0;
    const routes = this.#roster.all().flatMap((client) => client.routes);
    await Promise.all(
      routes.map((route) => this.#outbox.sendLast(route, closing(code, detail, retryAfterMs))),
    );
  }

  /** Stops every timer, and resolves when what was begun in the vault is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweeping?.cancel();
    this.#outbox.close();
    await this.#rounds[Symbol.asyncDispose]();
  }
}
