/** An edge client in a federation: registers, downloads, trains, uploads, evaluates, until Finish. */

import { clientMessage } from "../contract/codec.ts";
import { ConnectionLost } from "../contract/connection.ts";
import {
  ClosingReason,
  type Finish,
  LeaveReason,
  type ModelPart,
  type Receipt,
  type ServerMessage,
  type Task,
  TaskKind,
  UpdateKind,
  Verdict,
  type Welcome,
} from "../contract/federation_pb.ts";
import { setTimeout as delay } from "node:timers/promises";
import { type Backoff, DEFAULT_BACKOFF, reach } from "./dialling.ts";
import { Download } from "./download.ts";
import { Exchange, type Identity } from "./exchange.ts";
import type { Trainer, TrainProgress } from "./trainer.ts";
import { type Update, upload } from "./upload.ts";

/** What a client tells whoever watches it. */
export type SessionEvent =
  | {
    readonly kind: "unreachable";
    readonly url: string;
    readonly reason: string;
    readonly retryInMs: number | undefined;
  }
  | {
    readonly kind: "welcomed";
    readonly wire: string;
    readonly runId: string;
    readonly round: number;
  }
  | { readonly kind: "modelHeld"; readonly round: number; readonly bytes: number }
  | { readonly kind: "training"; readonly round: number; readonly progress: TrainProgress }
  | {
    readonly kind: "trained";
    readonly round: number;
    readonly metrics: Readonly<Record<string, number>>;
  }
  | {
    readonly kind: "uploaded";
    readonly round: number;
    readonly verdict: Verdict;
    readonly detail: string;
  }
  | {
    readonly kind: "evaluated";
    readonly round: number;
    readonly metrics: Readonly<Record<string, number>>;
  }
  | { readonly kind: "taskFailed"; readonly round: number; readonly reason: string }
  | { readonly kind: "roundClosed"; readonly round: number; readonly clients: number }
  | { readonly kind: "lost"; readonly wire: string; readonly reason: string };

export interface SessionOptions {
  readonly clientId: string;
  readonly urls: readonly URL[];
  readonly trainer: Trainer;
  readonly software: string;
  readonly token?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly observe: (event: SessionEvent) => void;
  readonly backoff?: Backoff;
}

/** The final model, as every client of the run holds it. */
export interface FinalModel {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly round: number;
  readonly reason: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The server does not want this client, or has gone; the message says what to do. */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
}

const DIAL_TIMEOUT_MS = 15_000;
const SILENT_INTERVALS = 3;
/** Until Welcome says it. */
const FIRST_HEARTBEAT_MS = 5000;

/** Why one connection's part of the session is over. */
type Turn = { readonly kind: "redial"; readonly afterMs: number } | {
  readonly kind: "finished";
  readonly final: FinalModel;
};

export class Session {
  readonly #options: SessionOptions;
  readonly #identity: Identity;
  /** Bound to Hello and to the last will: of this process, not of one connection. */
  #nonce = crypto.getRandomValues(new Uint8Array(16));
  #welcome: Welcome | undefined;
  #download: Download | undefined;
  #whole: Download | undefined;
  #update: Update | undefined;
  /** The newest task of each kind, waiting for its model or under way. */
  readonly #tasks = new Map<TaskKind, Task>();
  readonly #work = new Map<TaskKind, { taskId: number; abort: AbortController }>();
  #finish: Finish | undefined;
  /** The final model is held: a connection that ends now ends nothing else. */
  #done = false;
  #exchange: Exchange | undefined;
  #turn = Promise.withResolvers<Turn>();
  readonly #heartbeat = new Heartbeat(() => this.#beat());

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#identity = { clientId: options.clientId, runId: "", session: new Uint8Array() };
  }

  /**
   * Takes part until the run finishes, over as many connections as it takes.
   * @throws {SessionEnded} when the server turns this client away for good.
   * @throws {TypeError} for a URL no wire can read.
   * @throws the signal's reason, after the server was told.
   */
  async run(): Promise<FinalModel> {
    const { signal } = this.#options;
    using heartbeat = this.#heartbeat;
    for (let pauseMs = 0;;) {
      await delay(pauseMs, undefined, { signal });
      const connection = await this.#reach();
      const turn = this.#turn = Promise.withResolvers<Turn>();
      turn.promise.catch(() => {});
      await using exchange = new Exchange(connection, this.#identity, {
        hear: (message) => this.#hear(exchange, message),
        silenceMs: () => SILENT_INTERVALS * this.#heartbeatMs,
      });
      this.#exchange = exchange;
      void exchange.over.then((reason) => {
        if (this.#done) return; // the server has heard, or had its time
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
        pauseMs = end.afterMs;
      } catch (error) {
        if (signal.aborted) await this.#goodbye(exchange);
        throw error;
      } finally {
        signal.removeEventListener("abort", aborted);
        for (const { abort } of this.#work.values()) {
          if (signal.aborted) abort.abort(signal.reason);
        }
        this.#exchange = undefined;
        heartbeat.stop();
      }
    }
  }

  get #heartbeatMs(): number {
    return this.#welcome?.heartbeatIntervalMs ?? FIRST_HEARTBEAT_MS;
  }

  #reach() {
    const { clientId, urls, signal, observe, backoff = DEFAULT_BACKOFF } = this.#options;
    return reach({
      clientId,
      urls,
      signal,
      backoff,
      dialTimeoutMs: DIAL_TIMEOUT_MS,
      will: clientMessage({
        clientId,
        body: { case: "leave", value: { reason: LeaveReason.LOST, nonce: this.#nonce } },
      }),
      failed: (url, reason, retryInMs) =>
        observe({ kind: "unreachable", url: url.href, reason, retryInMs }),
    });
  }

  /** Runs a step that may find the connection lost, which the turn notices by itself. */
  #guard(work: Promise<void>): void {
    work.catch((error) => {
      if (!(error instanceof ConnectionLost)) this.#turn.reject(error);
    });
  }

  async #greet(exchange: Exchange): Promise<void> {
    const { trainer, software, token = "", labels = {} } = this.#options;
    const held = this.#download?.held();
    const receipt = await exchange.ask(
      clientMessage({
        body: {
          case: "hello",
          value: {
            contractVersion: 1,
            nonce: this.#nonce,
            token,
            software,
            samples: trainer.samples,
            labels: { ...labels },
            session: this.#identity.session,
            ...(held === undefined ? {} : { held }),
          },
        },
      }).body,
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
    this.#nonce = crypto.getRandomValues(new Uint8Array(16));
    this.#welcome = undefined;
    this.#download = undefined;
    this.#whole = undefined;
    this.#update = undefined;
    this.#tasks.clear();
    this.#finish = undefined;
    for (const { abort } of this.#work.values()) abort.abort();
  }

  #redial(afterMs: number): void {
    this.#turn.resolve({ kind: "redial", afterMs });
  }

  #hear(exchange: Exchange, message: ServerMessage): void {
    const { body } = message;
    if (body.case === "receipt") return this.#judged(message.runId, body.value);
    if (body.case === "welcome") {
      return this.#guard(this.#welcomed(exchange, message.runId, body.value));
    }
    if (message.runId !== this.#identity.runId) return; // left over from another run
    switch (body.case) {
      case "modelPart":
        return this.#modelPart(exchange, body.value);
      case "task":
        this.#tasks.set(body.value.kind, body.value);
        return this.#goOn();
      case "roundClosed": {
        const { round, clients } = body.value;
        this.#options.observe({ kind: "roundClosed", round, clients });
        return this.#dropStale(round);
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

  #judged(runId: string, receipt: Receipt): void {
    const lost = receipt.verdict === Verdict.NO_SESSION || receipt.verdict === Verdict.OTHER_RUN;
    if (!lost || this.#identity.session.length === 0) return;
    if (receipt.verdict === Verdict.OTHER_RUN && runId === this.#identity.runId) return;
    this.#startAnew();
    this.#redial(0);
  }

  async #welcomed(exchange: Exchange, runId: string, welcome: Welcome): Promise<void> {
    if (!equal(welcome.nonce, this.#nonce)) return; // answers an older Hello
    if (this.#identity.runId !== "" && this.#identity.runId !== runId) this.#startAnew();
    this.#identity.runId = runId;
    this.#identity.session = welcome.session;
    this.#welcome = welcome;
    this.#heartbeat.start(welcome.heartbeatIntervalMs);
    const { wire } = exchange.connection;
    this.#options.observe({ kind: "welcomed", wire, runId, round: welcome.round });
    const { topology = new Uint8Array(), topologyType = "" } = welcome.model ?? {};
    await this.#options.trainer.prepare({ bytes: topology, type: topologyType });
    this.#goOn();
  }

  #modelPart(exchange: Exchange, part: ModelPart): void {
    const current = this.#download;
    if (current === undefined || part.modelRound > current.round) {
      if (part.totalBytes !== this.#welcome?.model?.bytes) return;
      this.#download = new Download(part);
    } else if (part.modelRound < current.round) return;
    const download = this.#download as Download;
    const stepBytes = (this.#welcome?.windowBytes ?? 0) / 4;
    if (!download.take(part, stepBytes)) return;
    const { body } = clientMessage({ body: { case: "modelHeld", value: download.held() } });
    exchange.ask(body).catch(() => {}); // a lost connection is noticed by the turn
    if (download.sha256 !== undefined) {
      this.#whole = download;
      this.#options.observe({
        kind: "modelHeld",
        round: download.round,
        bytes: download.bytes.length,
      });
      this.#goOn();
    }
  }

  /** Starts whatever has all it needs: a task whose model is held, an upload cut short, the end. */
  #goOn(): void {
    const exchange = this.#exchange;
    const whole = this.#whole;
    if (exchange === undefined || whole === undefined || this.#welcome === undefined) return;
    if (this.#finish !== undefined && whole.round === this.#finish.round) {
      return this.#guard(this.#finished(exchange, whole, this.#finish));
    }
    for (const task of this.#tasks.values()) {
      const running = this.#work.get(task.kind);
      if (running?.taskId === task.taskId) continue;
      if (task.modelRound !== whole.round) continue;
      running?.abort.abort();
      const abort = new AbortController();
      const work = { taskId: task.taskId, abort };
      this.#work.set(task.kind, work);
      void this.#carryOut(task, whole, abort.signal).finally(() => {
        if (this.#work.get(task.kind) === work) this.#work.delete(task.kind);
      });
    }
  }

  /** Work for a round that has closed is in vain. */
  #dropStale(closedRound: number): void {
    const task = this.#tasks.get(TaskKind.TRAIN);
    if (task === undefined || task.round > closedRound) return;
    this.#tasks.delete(TaskKind.TRAIN);
    const running = this.#work.get(TaskKind.TRAIN);
    if (running?.taskId === task.taskId) running.abort.abort();
  }

  async #carryOut(task: Task, model: Download, signal: AbortSignal): Promise<void> {
    const { observe } = this.#options;
    try {
      if (task.kind === TaskKind.TRAIN) await this.#train(task, model, signal);
      else if (task.kind === TaskKind.EVALUATE) await this.#evaluate(task, model, signal);
      if (this.#tasks.get(task.kind) === task) this.#tasks.delete(task.kind);
    } catch (error) {
      if (signal.aborted || error instanceof ConnectionLost) return; // taken up again, or in vain
      if (this.#tasks.get(task.kind) === task) this.#tasks.delete(task.kind);
      const reason = error instanceof Error ? error.message : String(error);
      observe({ kind: "taskFailed", round: task.round, reason });
    }
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
    if (!equal(sha256, finish.modelSha256)) {
      throw new SessionEnded("The final model differs from the one the server announced");
    }
    for (const { abort } of this.#work.values()) abort.abort();
    this.#done = true;
    const { reason, round, metrics } = finish;
    const final: FinalModel = { model: whole.bytes, round, reason, metrics };
    try {
      await exchange.ask(
        clientMessage({
          body: { case: "leave", value: { reason: LeaveReason.DONE, modelSha256: sha256 } },
        }).body,
      );
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
    }
    this.#turn.resolve({ kind: "finished", final });
  }

  #closing(closing: { reason: ClosingReason; detail: string; retryAfterMs: number }): void {
    switch (closing.reason) {
      case ClosingReason.REPLACED:
        return this.#turn.reject(
          new SessionEnded(
            `Another client joined as ${this.#options.clientId}: give each client an --id of its own`,
          ),
        );
      case ClosingReason.REFUSED:
        return this.#turn.reject(new SessionEnded(`The server closed: ${closing.detail}`));
      case ClosingReason.SHUTDOWN:
        return this.#turn.reject(
          new SessionEnded(`The server shut down before the run ended: ${closing.detail}`),
        );
      default:
        return this.#redial(closing.retryAfterMs);
    }
  }

  #beat(): void {
    const { body } = clientMessage({ body: { case: "heartbeat", value: {} } });
    this.#exchange?.ask(body).catch(() => {}); // a lost connection is noticed by the turn
  }

  async #goodbye(exchange: Exchange): Promise<void> {
    const { body } = clientMessage({
      body: { case: "leave", value: { reason: LeaveReason.SHUTTING_DOWN } },
    });
    await exchange.ask(body).catch(() => {}); // it may be gone already
  }
}

/** Beats at an interval between start and stop. */
class Heartbeat implements Disposable {
  readonly #beat: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(beat: () => void) {
    this.#beat = beat;
  }

  start(intervalMs: number): void {
    this.stop();
    this.#timer = setInterval(this.#beat, intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
