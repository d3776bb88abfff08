/** Judges each message of a client, and does what it asks for. */

import { sameBytes } from "../contract/bytes.ts";
import { isClientId } from "../contract/client_id.ts";
import {
  type ClientMessage,
  ClosingReason,
  type Evaluation,
  type Hello,
  type Leave,
  LeaveReason,
  type ModelHeld,
  UpdateKind,
  type UpdatePart,
  Verdict,
} from "../contract/federation_pb.ts";
import type { Arrival, Route } from "../contract/protocol_server.ts";
import type { LeaveCause } from "../events.ts";
import type { Admission } from "./admission.ts";
import { evaluationTaskId } from "./evaluation.ts";
import { refuseHeld, refuseHello } from "./greeting.ts";
import { ACCEPTED, type Judgement, refuse, refuseMetrics, REJECTIONS } from "./judgement.ts";
import { openTask } from "./open_task.ts";
import { type CoordinatorOptions, sentence } from "./options.ts";
import type { Outbox } from "./outbox.ts";
import { closing, welcome } from "./replies.ts";
import type { Client, Roster } from "./roster.ts";
import type { RoundRooms, Rounds } from "./rounds.ts";
import { Sessions } from "./sessions.ts";

/** An operator makes room, or a round closes and lets its updates' files go. */
const FULL_RETRY_MS = 5000;

/** The rooms a judge goes in and out of. */
export interface Rooms extends RoundRooms {
  readonly rounds: Rounds;
}

export class Judge {
  readonly #options: CoordinatorOptions;
  readonly #roster: Roster;
  readonly #admission: Admission;
  readonly #outbox: Outbox;
  readonly #rounds: Rounds;
  readonly #sessions: Sessions;

  constructor(options: CoordinatorOptions, { roster, admission, outbox, rounds }: Rooms) {
    this.#options = options;
    this.#roster = roster;
    this.#admission = admission;
    this.#outbox = outbox;
    this.#rounds = rounds;
    this.#sessions = new Sessions(options);
  }

  /** Never rejects: a failure of the server's own is a verdict, too. */
  async judge(route: Route, message: ClientMessage): Promise<Judgement> {
    try {
      return await this.#judge(route, message);
    } catch (error) {
      const what = `${message.body.case} of ${message.clientId}`;
      this.#options.events.serverFailed({ what, reason: sentence(error) });
      return { ...refuse(Verdict.FAILED, "the server failed; try again"), retryAfterMs: 1000 };
    }
  }

  /** Not async before the body's own judge: arrivals are judged in the order they came. */
  #judge(route: Route, message: ClientMessage): Judgement | Promise<Judgement> {
    const { clientId, body } = message;
    if (!isClientId(clientId)) {
      return refuse(
        Verdict.MALFORMED,
        "client_id must be 1 to 64 characters of A-Z a-z 0-9 . _ -",
      );
    }
    if (body.case === "hello") return this.#greet(route, clientId, body.value);
    if (body.case === "sealed") {
      // Where they are taken, they come here opened.
      return refuse(
        Verdict.UNSUPPORTED,
        "no token is asked for here, and no sealed messages are taken; join without a token",
      );
    }
    // A last will is fixed before Welcome, and proves itself by the nonce of its connection's Hello.
    const will = body.case === "leave" && body.value.nonce.length > 0 ? body.value : undefined;
    if (will === undefined && message.runId !== this.#options.opened.runId) {
      return refuse(Verdict.OTHER_RUN, "the message is of another run; say Hello again");
    }
    const client = this.#roster.get(clientId);
    if (client === undefined) {
      if (will?.reason === LeaveReason.LOST) return ACCEPTED; // as it says, nobody is here
      return refuse(Verdict.NO_SESSION, "this client has no session; say Hello");
    }
    const proven = will === undefined
      ? sameBytes(message.session, client.session)
      : [client.nonce, client.newestNonce].some((nonce) => sameBytes(will.nonce, nonce));
    if (!proven) return refuse(Verdict.UNAUTHORISED, "the session is not this client's");
    if (will !== undefined) return this.#leave(client, will, route);
    this.#heard(client, route);
    switch (body.case) {
      case "updatePart":
        return this.#update(client, route, body.value);
      case "evaluation":
        return this.#evaluation(client, body.value);
      case "modelHeld":
        return this.#modelHeld(client, body.value);
      case "heartbeat":
        return ACCEPTED;
      case "leave":
        return this.#leave(client, body.value, route);
      case undefined:
        return refuse(Verdict.MALFORMED, "the message has no body");
      default:
        return body satisfies never;
    }
  }

  /** The session proves the client, on a route that came back or as one more way to reach it. */
  #heard(client: Client, route: Route): void {
    client.lastHeardMs = this.#options.clock.nowMs();
    // A route that this side has ended stays so: what was on its way on it brings nothing anew.
    const fresh = this.#roster.on(route) !== client && this.#roster.attach(client, route);
    this.#present(client, route);
    if (fresh) this.#rounds.bringUpToDate(client);
  }

  #present(client: Client, { wire }: Route): void {
    const member = this.#rounds.state.members.get(client.id);
    if (member?.present && member.samples === client.samples) return;
    const { id, samples, software } = client;
    if (!member?.present) {
      this.#options.events.clientJoined({ client: id, wire, samples, software });
    }
    this.#keep(client, true); // before a round can begin with it
    this.#rounds.join(client);
  }

  #keep(client: Client, present: boolean): void {
    const converged = this.#rounds.state.members.get(client.id)?.converged ?? false;
    this.#sessions.keep(client, { present, converged });
  }

  #greet(route: Route, clientId: string, hello: Hello): Judgement {
    const { limits, clock, events } = this.#options;
    const refusal = refuseHello(hello, limits);
    if (refusal !== undefined) return refusal;
    if (this.#rounds.state.phase === "finished") {
      return refuse(Verdict.FINISHED, "the run has ended");
    }
    const stale = refuseHeld(hello, this.#rounds);
    if (stale !== undefined) return stale;
    // Who has converged and left counts, too: its word is remembered.
    const { members } = this.#rounds.state;
    const crowded = members.size >= limits.maxClients && !members.has(clientId);
    const greeting = crowded
      ? { kind: "full" } as const
      : this.#roster.greet(clientId, hello, { route, nowMs: clock.nowMs() });
    if (greeting.kind === "full") {
      const full = refuse(
        Verdict.BUSY,
        `${limits.maxClients} clients are here, and no more may be`,
      );
      return { ...full, retryAfterMs: limits.heartbeatIntervalMs };
    }
    if (greeting.kind === "noSession") {
      return refuse(Verdict.NO_SESSION, "the session is over; say Hello without it");
    }
    if (greeting.kind === "replaced") {
      // It was on a route that could not be told. Let in again, the two would take turns for ever.
      return refuse(Verdict.UNAUTHORISED, `another client joined as ${clientId} since`);
    }
    const { client, how, replaced, evicted } = greeting;
    if (evicted !== undefined) void this.#sessions.end(evicted);
    this.#keep(client, true);
    for (const old of replaced) {
      events.clientReplaced({ client: clientId, wire: old.wire, by: route.wire });
      this.#close(old, ClosingReason.REPLACED, "a newer Hello of this client took over");
    }
    if (how === "opened") this.#outbox.forget(clientId);
    const { closedRounds: round } = this.#rounds.state;
    this.#outbox.send(route, welcome(client, { nonce: hello.nonce, round }, this.#options));
    const { open } = this.#rounds.state;
    this.#present(client, route);
    // A round that began with this very client has told it.
    const told = this.#rounds.state.open !== open &&
      this.#rounds.state.open?.assignments.has(clientId) === true;
    if (!told) this.#rounds.bringUpToDate(client);
    return ACCEPTED;
  }

  async #update(client: Client, route: Route, part: UpdatePart): Promise<Judgement> {
    const { id } = client;
    const { taskId, samples, metrics } = part;
    const task = openTask(this.#rounds.state, client, taskId);
    if ("verdict" in task) {
      const nextOffset = task.verdict === Verdict.DUPLICATE ? part.totalBytes : 0n;
      return { ...task, nextOffset };
    }
    const refusal = this.#admission.admit(id, part, task);
    if (refusal !== undefined) return refusal;
    const { round } = task;
    const totalBytes = Number(part.totalBytes);
    const outcome = await this.#options.vault.part({
      client: id,
      taskId,
      round,
      uploadId: part.uploadId.toHex(),
      kind: part.kind === UpdateKind.DELTA ? "delta" : "weights",
      samples,
      metrics,
      totalBytes,
      offset: Number(part.offset),
      bytes: part.bytes,
    });
    const nextOffset = BigInt(outcome.nextOffset);
    switch (outcome.kind) {
      case "held":
        return { verdict: Verdict.HELD, nextOffset };
      case "gap":
        return { ...refuse(Verdict.GAP, `send from ${nextOffset}`), nextOffset };
      case "stale": {
        // It was answered, or the round closed, while this part was under way.
        const now = openTask(this.#rounds.state, client, taskId);
        return "verdict" in now ? now : refuse(Verdict.STALE, "the round has closed");
      }
      case "conflict":
        return { ...refuse(Verdict.MALFORMED, outcome.detail), nextOffset };
      case "accepted": {
        this.#admission.release(id);
        if (this.#rounds.state.open?.assignments.get(id)?.taskId !== taskId) {
          return refuse(Verdict.STALE, "the round was given up meanwhile");
        }
        const { wire } = route;
        // A newer Hello may have opened another session meanwhile.
        (this.#roster.get(id) ?? client).counted = { round, taskId };
        this.#options.events.updateAccepted({
          client: id,
          wire,
          round,
          samples,
          bytes: totalBytes,
        });
        this.#rounds.answered(id, taskId);
        return { verdict: Verdict.ACCEPTED, nextOffset };
      }
      case "full":
        this.#admission.release(id);
        this.#options.events.stateFull({ round, detail: outcome.detail });
        return { ...refuse(Verdict.BUSY, outcome.detail), nextOffset, retryAfterMs: FULL_RETRY_MS };
      default:
        this.#admission.release(id);
        return { ...refuse(REJECTIONS[outcome.kind], outcome.detail), nextOffset };
    }
  }

  #evaluation(client: Client, { taskId, samples, metrics }: Evaluation): Judgement {
    const refusal = refuseMetrics(metrics);
    if (refusal !== undefined) return refusal;
    if (samples === 0) return refuse(Verdict.MALFORMED, "samples must be at least 1");
    if (samples > this.#options.limits.maxSamples) {
      return refuse(Verdict.OUT_OF_RANGE, "samples exceeds the limit");
    }
    switch (this.#rounds.evaluations.answer(client.id, taskId, { samples, metrics })) {
      case "taken":
        return ACCEPTED;
      case "duplicate":
        return refuse(Verdict.DUPLICATE, "this evaluation counts already");
      case "stranger":
        return refuse(Verdict.UNAUTHORISED, "this client was not asked");
      case "none":
        return taskId > evaluationTaskId(this.#rounds.state.closedRounds)
          ? refuse(Verdict.EARLY, "there is no such task yet")
          : refuse(Verdict.STALE, "the evaluation is over");
    }
  }

  #modelHeld(client: Client, held: ModelHeld): Judgement {
    const { modelRound: round, sha256 } = held;
    if (round > this.#rounds.state.closedRounds) {
      return refuse(Verdict.EARLY, "there is no such model yet");
    }
    if (round < this.#rounds.state.closedRounds) {
      return refuse(Verdict.STALE, "a newer model is out");
    }
    const length = this.#options.opened.model.bytes;
    if (held.offset > BigInt(length)) {
      return refuse(Verdict.MALFORMED, `offset is beyond the model's ${length} bytes`);
    }
    const offset = Number(held.offset);
    const known = this.#rounds.sha256(round);
    if (offset === length && known !== undefined && sha256.toHex() !== known) {
      client.held = undefined;
      this.#outbox.forget(client.id);
      this.#outbox.supply(client, round);
      return refuse(Verdict.MALFORMED, "sha256 is not the model's; it is sent again");
    }
    client.held = { round, offset, whole: offset === length };
    this.#outbox.acknowledge(client, { round, offset });
    return ACCEPTED;
  }

  #leave(client: Client, leave: Leave, { wire }: Route): Judgement | Promise<Judgement> {
    const { finale } = this.#rounds;
    switch (leave.reason) {
      case LeaveReason.LOST:
        // Said for a vanished client, whose route its wire reports; it may come back.
        return ACCEPTED;
      case LeaveReason.CONVERGED:
        this.#rounds.converge(client.id);
        this.#keep(client, true);
        return ACCEPTED;
      case LeaveReason.DONE: {
        if (finale.final === undefined) {
          return this.#goodbye(client, "dropped", "left before the end");
        }
        const confirmed = finale.confirm(client.id, leave.modelSha256);
        if (confirmed === undefined) {
          return refuse(Verdict.MALFORMED, "model_sha256 is not the final model's");
        }
        const { sha256 } = finale.final;
        this.#options.events.modelConfirmed({ client: client.id, wire, sha256 });
        return this.#confirmed(client, confirmed);
      }
      default:
        return this.#goodbye(client, "shutting_down");
    }
  }

  /** Who got the verdict on this is not waited for after a restart. */
  async #confirmed(
    client: Client,
    { remembered }: { remembered: boolean },
  ): Promise<Judgement> {
    const kept = this.#sessions.end(client.id, remembered);
    this.#goodbye(client, "done");
    await kept;
    return ACCEPTED;
  }

  /** The client's session is over. Its routes close by themselves. */
  #goodbye(
    client: Client,
    reason: "done" | "dropped" | "shutting_down",
    detail?: string,
  ): Judgement {
    this.#roster.remove(client, reason);
    if (reason !== "done") void this.#sessions.end(client.id);
    this.left(client.id, reason, detail);
    return ACCEPTED;
  }

  /** Nobody waits for this client any more; it may come back. */
  left(
    clientId: string,
    reason: LeaveCause,
    detail?: string,
  ): void {
    const { events } = this.#options;
    if (this.#rounds.state.members.get(clientId)?.present) {
      events.clientLeft({ client: clientId, reason, detail });
    }
    this.#outbox.forget(clientId);
    this.#admission.release(clientId);
    this.discard(clientId);
    this.#rounds.leave(clientId);
    const client = this.#roster.get(clientId); // the session of one that fell silent stays
    if (client !== undefined) this.#keep(client, false);
  }

  /** Who speaks on a route may do so no longer; with its last route the client leaves. */
  revoke({ route, cause, reason }: Extract<Arrival, { kind: "revoked" }>): void {
    const client = this.#roster.on(route);
    this.#roster.end(route, reason);
    this.#close(route, ClosingReason.REFUSED, `${reason}; ask the operator for a new one`);
    if (client === undefined || client.routes.length > 0) return;
    this.#roster.remove(client, reason);
    void this.#sessions.end(client.id); // else a restart would wait for it
    this.left(client.id, cause, reason);
  }

  #close(route: Route, reason: ClosingReason, detail: string): void {
    void this.#outbox.sendLast(route, closing(reason, detail))
      .then(() => this.#outbox.drop(route, detail));
  }

  /** Forgets a client's unfinished upload. */
  discard(clientId: string): void {
    const { events, vault } = this.#options;
    vault.discard(clientId).catch((error) =>
      events.serverFailed({ what: `discard of ${clientId}`, reason: sentence(error) })
    );
  }
}
