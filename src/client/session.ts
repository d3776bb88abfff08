/** An edge client in a federation: registers, downloads, trains, uploads, evaluates, until Finish. */

import { clientMessage } from "../contract/codec.ts";
import { sameBytes } from "../contract/bytes.ts";
import { ConnectionLost } from "../contract/connection.ts";
import {
  type Closing,
  ClosingReason,
  type Finish,
  type ModelPart,
  type Receipt,
  type ServerMessage,
  Verdict,
  type Welcome,
} from "../contract/federation_pb.ts";
import { DEFAULT_BACKOFF, pause, pauseMs } from "./dialling.ts";
import type { Download } from "./download.ts";
import { endOf, refused, SessionEnded, type Turn } from "./ending.ts";
import { Exchange } from "./exchange.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { FinishedRun } from "./kept.ts";
import { Membership } from "./membership.ts";
import { heartbeat, hello, leaveDone, leaveShuttingDown } from "./messages.ts";
import { Models } from "./models.ts";
import type { SessionEvent } from "./session_event.ts";
import type { FinalModel, SessionOptions } from "./session_options.ts";
import { Tasks } from "./tasks.ts";
import { Wires } from "./wires.ts";
import { Work } from "./work.ts";

export { SessionEnded } from "./ending.ts";
export type { SessionEvent } from "./session_event.ts";
export type { FinalModel, SessionOptions } from "./session_options.ts";

const SILENT_INTERVALS = 3;
/** Until Welcome says it. */
const FIRST_HEARTBEAT_MS = 5000;
const MAX_EARLY = 4096; // more than a window of parts

export class Session {
  readonly #options: SessionOptions;
  readonly #membership: Membership;
  #welcome: Welcome | undefined;
  readonly #models: Models;
  readonly #work: Work;
  readonly #tasks = new Tasks();
  #finish: Finish | undefined;
  /** The final model is held: a connection that ends now ends nothing else. */
  #done = false;
  /** What came before Welcome: wires of several streams let it overtake, and it is sent once. */
  readonly #early: ServerMessage[] = [];
  #exchange: Exchange | undefined;
  /** The connection on which Welcome was heard: the session is known to be good there. */
  #welcomedOn: Exchange | undefined;
  #turn = Promise.withResolvers<Turn>();
  readonly #heartbeat = new Heartbeat(() => this.#beat());
  readonly #wires: Wires;

  constructor(options: SessionOptions) {
    const { trainer, keeping, kept } = options;
    this.#membership = new Membership(options);
    const wires = this.#wires = new Wires(options, {
      will: () => this.#membership.will(),
      moved: (made) => made || this.#exchange?.signal.aborted ? this.#redial(0) : this.#goOn(),
    });
    const observe = (event: SessionEvent) => wires.observe(event);
    this.#options = { ...options, observe };
    this.#models = new Models(kept?.model);
    this.#work = new Work({
      trainer,
      observe,
      keeping,
      desk: () => ({
        runId: this.#membership.identity.runId,
        // What comes before Hello is judged would be turned away.
        exchange: this.#exchange === this.#welcomedOn ? this.#exchange : undefined,
        welcome: this.#welcome,
      }),
      failed: (error) => this.#turn.reject(error),
    }, kept?.update);
  }

  /**
   * Takes part until the run finishes, over as many connections as it takes.
   * @throws {SessionEnded} when the server turns this client away for good.
   * @throws {TypeError} for a URL no wire can read.
   * @throws the signal's reason, after the server was told.
   */
  async run(): Promise<FinalModel> {
    const { signal, backoff = DEFAULT_BACKOFF } = this.#options;
    using beats = this.#heartbeat;
    await using wires = this.#wires;
    using _ = this.#tasks;
    for (let failures = 0, waitMs = 0;;) {
      await pause(waitMs, signal);
      const connection = await wires.reach();
      const turn = this.#turn = Promise.withResolvers<Turn>();
      turn.promise.catch(() => {});
      await using exchange = new Exchange(connection, this.#membership.identity, {
        hear: (message) => this.#hear(exchange, message),
        silenceMs: () => SILENT_INTERVALS * this.#heartbeatMs,
      });
      this.#exchange = exchange;
      this.#early.length = 0;
      void exchange.over.then((reason) => {
        // Closed by this client, or left for another connection, which may end it.
        if (this.#exchange !== exchange || this.#done || wires.moving) return;
        this.#options.observe({ kind: "lost", wire: connection.wire, reason });
        turn.resolve({ kind: "redial", afterMs: 0 });
      });
      const aborted = () => turn.reject(signal.reason);
      signal.addEventListener("abort", aborted, { once: true });
      try {
        signal.throwIfAborted();
        this.#guard(this.#greet(exchange));
        const end = await turn.promise;
        if (end.kind === "finished") return end.final;
        // Who takes the connection and gives no Welcome is called with longer and longer pauses; and
        // nobody without any: a fleet must spread, a client of the same id have its turn.
        failures = this.#welcomedOn === exchange ? 0 : failures + 1;
        waitMs = wires.moving
          ? end.afterMs
          : Math.max(end.afterMs, pauseMs(Math.max(failures - 1, 0), backoff));
      } catch (error) {
        this.#tasks.abort(error);
        // Who gives up by itself says so; else its round would wait for it.
        if (!(error instanceof SessionEnded)) await this.#goodbye(exchange);
        else if (!error.passes) this.#membership.giveUp();
        throw error;
      } finally {
        signal.removeEventListener("abort", aborted);
        this.#exchange = undefined;
        beats.stop();
      }
    }
  }

  get #heartbeatMs(): number {
    return this.#welcome?.heartbeatIntervalMs ?? FIRST_HEARTBEAT_MS;
  }

  /** Runs a step that may find the connection lost, which the turn notices by itself. */
  #guard(work: Promise<void>): void {
    work.catch((error) => {
      if (!(error instanceof ConnectionLost)) this.#turn.reject(error);
    });
  }

  async #greet(exchange: Exchange): Promise<void> {
    const { identity: { session }, hasSession, nonce } = this.#membership;
    // The server takes a resumed session's word for it, which is of the same run for sure.
    const model = hasSession ? this.#models.newest : undefined;
    const receipt = await exchange.ask(
      hello(this.#options, { nonce, session, model }),
    );
    switch (receipt.verdict) {
      case Verdict.ACCEPTED:
        return; // Welcome comes by itself
      case Verdict.NO_SESSION:
        this.#startAnew();
        return await this.#greet(exchange);
      case Verdict.BUSY:
      case Verdict.FAILED:
        return this.#wait(refused(receipt), receipt.retryAfterMs);
      case Verdict.FINISHED:
        this.#startAnew();
        this.#forgetRun();
        return this.#end(new SessionEnded(refused(receipt), { passes: true }));
      default:
        throw new SessionEnded(refused(receipt));
    }
  }

  /** Forgets the session. What is held of its run is good for as long as the run is the same. */
  #startAnew(): void {
    this.#membership.forgetSession();
    this.#welcome = undefined;
    this.#tasks.clear();
    this.#finish = undefined;
  }

  #forgetRun(): void {
    this.#work.forget();
    this.#models.clear();
    this.#tasks.clear();
    this.#finish = undefined;
    this.#membership.forgetRun();
  }

  /** The session is over, or waits for what passes by itself. */
  #end(ended: SessionEnded): void {
    const { patienceMs } = this.#options;
    if (!ended.passes || patienceMs === undefined) return this.#turn.reject(ended);
    this.#wait(ended.message, pauseMs(0, { firstMs: patienceMs, mostMs: patienceMs }));
  }

  #wait(reason: string, retryInMs: number): void {
    this.#options.observe({ kind: "waiting", reason, retryInMs });
    this.#redial(retryInMs);
  }

  #redial(afterMs: number): void {
    if (!this.#done) this.#turn.resolve({ kind: "redial", afterMs });
  }

  #hear(exchange: Exchange, message: ServerMessage): void {
    const { body } = message;
    if (body.case === "receipt") {
      // Before Welcome there is only Hello to be judged, which sees to its own.
      if (this.#welcomedOn === exchange) this.#judged(message.runId, body.value);
      return;
    }
    if (body.case === "welcome") {
      return this.#guard(this.#welcomed(exchange, message.runId, body.value));
    }
    const { runId } = this.#membership.identity;
    if (body.case === "closing" && message.runId === runId) return this.#closing(body.value);
    if (this.#welcomedOn !== exchange) {
      if (this.#early.length < MAX_EARLY) this.#early.push(message);
      return;
    }
    if (message.runId !== runId) return; // left over from another run
    switch (body.case) {
      case "modelPart":
        return this.#modelPart(exchange, body.value);
      case "task":
        this.#tasks.take(body.value);
        this.#wires.tasked(body.value);
        return this.#goOn();
      case "roundClosed": {
        const { round, clients } = body.value;
        this.#options.observe({ kind: "roundClosed", round, clients });
        return this.#tasks.dropStale(round);
      }
      case "finish":
        this.#finish = body.value;
        return this.#goOn();
      default:
        return; // a newer server's message
    }
  }

  #judged(runId: string, { verdict }: Receipt): void {
    if (verdict !== Verdict.NO_SESSION && verdict !== Verdict.OTHER_RUN) return;
    if (verdict === Verdict.OTHER_RUN && runId === this.#membership.identity.runId) return;
    this.#startAnew();
    if (verdict === Verdict.OTHER_RUN) this.#forgetRun();
    this.#redial(0);
  }

  async #welcomed(exchange: Exchange, runId: string, welcome: Welcome): Promise<void> {
    const { identity, nonce } = this.#membership;
    if (!sameBytes(welcome.nonce, nonce)) return; // answers an older Hello
    if (identity.runId !== "" && identity.runId !== runId) this.#forgetRun();
    const { finished } = this.#options;
    if (finished?.runId === runId) return await this.#stayAway(exchange, welcome, finished);
    const opened = !this.#membership.hasSession;
    this.#membership.begin(runId, welcome.session);
    this.#welcome = welcome;
    this.#welcomedOn = exchange;
    this.#heartbeat.start(welcome.heartbeatIntervalMs);
    const { newest } = this.#models;
    // A server that was set back has older models than this client, and sends those.
    if (newest !== undefined && newest.round > welcome.round) {
      this.#models.clear();
      this.#tasks.abort();
    } else if (newest !== undefined && opened) {
      this.#models.doubt();
      this.#tellHeld(exchange, newest);
    } else this.#models.trust();
    this.#work.forgetSince(welcome.round + 1);
    const { wire } = exchange.connection;
    this.#options.observe({ kind: "welcomed", wire, runId, round: welcome.round });
    const { topology = new Uint8Array(), topologyType = "" } = welcome.model ?? {};
    const prepared = this.#options.trainer.prepare({ bytes: topology, type: topologyType });
    for (const early of this.#early.splice(0)) this.#hear(exchange, early);
    await prepared;
    this.#goOn();
  }

  #modelPart(exchange: Exchange, part: ModelPart): void {
    const { observe } = this.#options;
    const { modelRound: round } = part;
    const [offset, totalBytes] = [Number(part.offset), Number(part.totalBytes)];
    observe({ kind: "modelPart", round, offset, bytes: part.bytes.length, totalBytes });
    const model = this.#models.take(part, {
      totalBytes: this.#welcome?.model?.bytes,
      stepBytes: (this.#welcome?.windowBytes ?? 0) / 4,
    });
    if (model === undefined) return;
    this.#tellHeld(exchange, model);
    const { bytes, sha256 } = model;
    if (sha256 === undefined) return;
    observe({ kind: "modelHeld", round, bytes: totalBytes });
    this.#options.keeping?.model(this.#membership.identity.runId, { round, bytes, sha256 });
    this.#goOn();
  }

  #tellHeld(exchange: Exchange, model: Download): void {
    const { body } = clientMessage({ body: { case: "modelHeld", value: model.held() } });
    exchange.ask(body).then(
      ({ verdict }) => {
        if (verdict !== Verdict.MALFORMED) {
          if (this.#models.trust(model)) this.#goOn();
          return;
        }
        if (!this.#models.forget(model)) return;
        this.#tasks.abort();
        this.#work.forgetSince(model.round);
      },
      () => {}, // a lost connection is noticed by the turn
    );
  }

  /** The run is over for this client, which its server does not know yet, or any more. */
  async #stayAway(exchange: Exchange, { session }: Welcome, run: FinishedRun): Promise<void> {
    this.#membership.enter(run.runId, session);
    await exchange.ask(leaveDone(run.modelSha256)).catch(() => {}); // it may be gone already
    this.#startAnew();
    this.#forgetRun();
    this.#end(new SessionEnded("The run is over", { passes: true }));
  }

  /** Starts whatever has all it needs: a task whose model is held, an upload cut short, the end. */
  #goOn(): void {
    const exchange = this.#exchange;
    const { whole } = this.#models;
    if (this.#done || exchange === undefined || whole === undefined) return;
    if (this.#welcome === undefined || this.#wires.moving) return;
    if (this.#finish !== undefined && whole.round === this.#finish.round) {
      return this.#guard(this.#finished(exchange, whole, this.#finish));
    }
    this.#tasks.start(
      whole.round,
      (task, signal) => this.#work.carryOut(task, whole, signal),
    );
  }

  async #finished(exchange: Exchange, whole: Download, finish: Finish): Promise<void> {
    const sha256 = whole.sha256 as Uint8Array;
    if (!sameBytes(sha256, finish.modelSha256)) {
      this.#models.clear(); // the next connection brings it once more
      const detail = "The final model differs from the one the server announced";
      return this.#end(new SessionEnded(detail, { passes: true }));
    }
    this.#tasks.clear();
    this.#done = true;
    const { reason, round, metrics } = finish;
    const run: FinishedRun = { runId: this.#membership.identity.runId, modelSha256: sha256 };
    this.#options.keeping?.finished(run);
    const final: FinalModel = { ...run, model: whole.bytes, round, reason, metrics };
    try {
      await exchange.ask(leaveDone(sha256));
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
    this.#turn.resolve({ kind: "finished", final });
  }

  #closing(closing: Closing): void {
    if (this.#done) return; // the server goes as its run is over
    // By this client itself, or its next Hello is refused.
    if (this.#wires.moving && closing.reason === ClosingReason.REPLACED) return;
    const ended = endOf(closing, this.#options.clientId);
    if (ended === undefined) this.#redial(closing.retryAfterMs);
    else this.#end(ended);
  }

  #beat(): void {
    this.#exchange?.ask(heartbeat()).then(
      // The session is another client's, of which the next Hello is told.
      ({ verdict }) => verdict === Verdict.UNAUTHORISED && this.#redial(0),
      () => {}, // a lost connection is noticed by the turn
    );
  }

  async #goodbye(exchange: Exchange): Promise<void> {
    await exchange.ask(leaveShuttingDown()).catch(() => {}); // it may be gone already
  }
}
