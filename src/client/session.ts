/** An edge client in a federation: registers, downloads, trains, uploads, evaluates, until Finish. */

import { clientMessage } from "../contract/codec.ts";
import { sameBytes } from "../contract/bytes.ts";
import { ConnectionLost } from "../contract/connection.ts";
import {
  type ClientMessage,
  type Closing,
  ClosingReason,
  type Finish,
  type ModelPart,
  type Receipt,
  type ServerMessage,
  type Task,
  TaskKind,
  UpdateKind,
  Verdict,
  type Welcome,
} from "../contract/federation_pb.ts";
import { type Backoff, DEFAULT_BACKOFF, pause, pauseMs } from "./dialling.ts";
import type { Download } from "./download.ts";
import { endOf, SessionEnded } from "./ending.ts";
import { Exchange, type Identity } from "./exchange.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  freshNonce,
  heartbeat,
  hello,
  leaveDone,
  leaveLost,
  leaveShuttingDown,
} from "./messages.ts";
import { Models } from "./models.ts";
import type { SessionEvent } from "./session_event.ts";
import { Tasks } from "./tasks.ts";
import type { Trainer } from "./trainer.ts";
import { type Update, upload } from "./upload.ts";
import { Wires } from "./wires.ts";

export { SessionEnded } from "./ending.ts";
export type { SessionEvent } from "./session_event.ts";

export interface SessionOptions {
  readonly clientId: string;
  readonly urls: readonly URL[];
  readonly trainer: Trainer;
  readonly software: string;
  readonly token?: string;
  readonly ca?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly observe: (event: SessionEvent) => void;
  readonly backoff?: Backoff;
  /** In [0, 1): when a wire is tried that is not in use. */
  readonly random?: () => number;
}

/** The final model, as every client of the run holds it. */
export interface FinalModel {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly round: number;
  readonly reason: string;
  readonly metrics: Readonly<Record<string, number>>;
}

const SILENT_INTERVALS = 3;
/** Until Welcome says it. */
const FIRST_HEARTBEAT_MS = 5000;
const MAX_EARLY = 4096; // more than a window of parts

/** Why one connection's part of the session is over. */
type Turn = { readonly kind: "redial"; readonly afterMs: number } | {
  readonly kind: "finished";
  readonly final: FinalModel;
};

export class Session {
  readonly #options: SessionOptions;
  readonly #identity: Identity;
  /**
   * Bound to Hello and to the last will. The same until Welcome, so that a Hello said again opens no
   * second session; then a new one for each connection, so that a will that comes late ends no other.
   */
  #nonce = freshNonce();
  #welcome: Welcome | undefined;
  readonly #models = new Models();
  #update: Update | undefined;
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
    const wires = this.#wires = new Wires(options, {
      will: () => this.#will(),
      moved: (made) => made || this.#exchange?.signal.aborted ? this.#redial(0) : this.#goOn(),
    });
    this.#options = { ...options, observe: (event) => wires.observe(event) };
    this.#identity = { clientId: options.clientId, runId: "", session: new Uint8Array() };
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
    for (let failures = 0, waitMs = 0;;) {
      await pause(waitMs, signal);
      const connection = await wires.reach();
      const turn = this.#turn = Promise.withResolvers<Turn>();
      turn.promise.catch(() => {});
      await using exchange = new Exchange(connection, this.#identity, {
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

  /** For the connection that is dialled next. */
  #will(): ClientMessage {
    if (this.#identity.session.length > 0) this.#nonce = freshNonce();
    return clientMessage({ clientId: this.#options.clientId, body: leaveLost(this.#nonce) });
  }

  /** Runs a step that may find the connection lost, which the turn notices by itself. */
  #guard(work: Promise<void>): void {
    work.catch((error) => {
      if (!(error instanceof ConnectionLost)) this.#turn.reject(error);
    });
  }

  async #greet(exchange: Exchange): Promise<void> {
    const receipt = await exchange.ask(
      hello(this.#options, {
        nonce: this.#nonce,
        session: this.#identity.session,
        model: this.#models.newest,
      }),
    );
    switch (receipt.verdict) {
      case Verdict.ACCEPTED:
        return; // Welcome comes by itself
      case Verdict.NO_SESSION:
        this.#startAnew();
        return await this.#greet(exchange);
      case Verdict.BUSY:
      case Verdict.FAILED:
        return this.#redial(receipt.retryAfterMs);
      default:
        throw new SessionEnded(`The server refused this client: ${receipt.detail}`);
    }
  }

  /** Forgets the session and everything of the run it was in. */
  #startAnew(): void {
    this.#identity.session = new Uint8Array();
    this.#identity.runId = "";
    this.#nonce = freshNonce();
    this.#welcome = undefined;
    this.#models.clear();
    this.#update = undefined;
    this.#tasks.clear();
    this.#finish = undefined;
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
    if (this.#welcomedOn !== exchange) {
      if (this.#early.length < MAX_EARLY) this.#early.push(message);
      return;
    }
    if (message.runId !== this.#identity.runId) return; // left over from another run
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
      case "closing":
        return this.#closing(body.value);
      default:
        return; // a newer server's message
    }
  }

  #judged(runId: string, { verdict }: Receipt): void {
    if (verdict !== Verdict.NO_SESSION && verdict !== Verdict.OTHER_RUN) return;
    if (verdict === Verdict.OTHER_RUN && runId === this.#identity.runId) return;
    this.#startAnew();
    this.#redial(0);
  }

  async #welcomed(exchange: Exchange, runId: string, welcome: Welcome): Promise<void> {
    if (!sameBytes(welcome.nonce, this.#nonce)) return; // answers an older Hello
    if (this.#identity.runId !== "" && this.#identity.runId !== runId) this.#startAnew();
    this.#identity.runId = runId;
    this.#identity.session = welcome.session;
    this.#welcome = welcome;
    this.#welcomedOn = exchange;
    this.#heartbeat.start(welcome.heartbeatIntervalMs);
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
    const { modelRound: round, bytes: { length: bytes } } = part;
    const [offset, totalBytes] = [Number(part.offset), Number(part.totalBytes)];
    observe({ kind: "modelPart", round, offset, bytes, totalBytes });
    const model = this.#models.take(part, {
      totalBytes: this.#welcome?.model?.bytes,
      stepBytes: (this.#welcome?.windowBytes ?? 0) / 4,
    });
    if (model === undefined) return;
    const { body } = clientMessage({ body: { case: "modelHeld", value: model.held() } });
    exchange.ask(body).then(
      ({ verdict }) => {
        if (verdict === Verdict.MALFORMED && this.#models.forget(model)) this.#tasks.abort();
      },
      () => {}, // a lost connection is noticed by the turn
    );
    if (model.sha256 === undefined) return;
    observe({ kind: "modelHeld", round, bytes: totalBytes });
    this.#goOn();
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
    this.#tasks.start(whole.round, (task, signal) => this.#carryOut(task, whole, signal));
  }

  /** Gives back whether the task is done with; if not, it is taken up again. */
  async #carryOut(task: Task, model: Download, signal: AbortSignal): Promise<boolean> {
    try {
      if (task.kind === TaskKind.TRAIN) await this.#train(task, model, signal);
      else if (task.kind === TaskKind.EVALUATE) await this.#evaluate(task, model, signal);
    } catch (error) {
      if (signal.aborted || error instanceof ConnectionLost) return false;
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.observe({ kind: "taskFailed", round: task.round, reason });
    }
    return true;
  }

  async #train(task: Task, model: Download, signal: AbortSignal): Promise<void> {
    const { trainer, observe } = this.#options;
    const { taskId, round, modelRound, settings } = task;
    if (this.#update?.taskId !== taskId) {
      const result = await trainer.train(model.bytes, { taskId, round, settings }, {
        signal,
        progress: (progress) => observe({ kind: "training", round, progress }),
      });
      observe({ kind: "trained", round, metrics: result.metrics });
      this.#update = {
        taskId,
        modelRound,
        uploadId: crypto.getRandomValues(new Uint8Array(16)),
        kind: UpdateKind.WEIGHTS,
        samples: result.samples,
        metrics: result.metrics,
        bytes: result.weights,
        heldBytes: 0,
      };
    }
    const exchange = this.#exchange;
    if (exchange === undefined) throw new ConnectionLost("between connections");
    const receipt = await upload(exchange, this.#update, {
      partBytes: this.#welcome?.largestPartBytes ?? 1,
      windowBytes: this.#welcome?.windowBytes ?? 1,
      signal,
    });
    const { verdict, detail } = receipt;
    observe({ kind: "uploaded", round, verdict, detail });
  }

  async #evaluate(task: Task, model: Download, signal: AbortSignal): Promise<void> {
    const { taskId, round, settings } = task;
    const result = await this.#options.trainer.evaluate(
      model.bytes,
      { taskId, round, settings },
      { signal },
    );
    const { samples, metrics } = result;
    this.#options.observe({ kind: "evaluated", round, metrics });
    const exchange = this.#exchange;
    if (exchange === undefined) throw new ConnectionLost("between connections");
    await exchange.ask(
      clientMessage({
        body: { case: "evaluation", value: { taskId, samples, metrics: { ...metrics } } },
      }).body,
    );
  }

  async #finished(exchange: Exchange, whole: Download, finish: Finish): Promise<void> {
    const sha256 = whole.sha256 as Uint8Array;
    if (!sameBytes(sha256, finish.modelSha256)) {
      throw new SessionEnded("The final model differs from the one the server announced");
    }
    this.#tasks.clear();
    this.#done = true;
    const { reason, round, metrics } = finish;
    const final: FinalModel = { model: whole.bytes, round, reason, metrics };
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
    else this.#turn.reject(ended);
  }

  #beat(): void {
    this.#exchange?.ask(heartbeat()).catch(() => {}); // a lost connection is noticed by the turn
  }

  async #goodbye(exchange: Exchange): Promise<void> {
    await exchange.ask(leaveShuttingDown()).catch(() => {}); // it may be gone already
  }
}
