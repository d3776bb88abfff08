/** One client behind a broker: its verdicts in order, and what is to be sent to it. */

import { encodeServerMessage } from "./codec.ts";
import { type ClientMessage, type ServerMessage, Verdict } from "./federation_pb.ts";
import type { Letter, Outflow, Source } from "./outflow.ts";
import type { Answer, ModelOffset, Route, SendOutcome } from "./protocol_server.ts";
import { Unread } from "./unread.ts";

/** Whose message something is, and where answers to it go. */
export interface Sender {
  readonly clientId: string;
  /** Opaque: of the wire. Two connections of one client have two where the wire can tell. */
  readonly address: string;
}

interface Waiting {
  readonly message: ServerMessage;
  readonly resolve: (outcome: SendOutcome) => void;
}

/** A message that was delivered, in arrival order, until its answer is written. */
interface Judgement {
  judged: boolean;
  answer: Answer | undefined;
  /** The answer is written, or none is due. */
  readonly done: () => void;
}

export interface RelayedClientOptions {
  readonly route: Route;
  readonly sender: Sender;
  readonly outflow: Outflow;
  /** Bytes of models that the broker may keep for a client that does not acknowledge them. */
  readonly maxUnreadBytes: number;
  /** Seals what is for it, where its messages are sealed. */
  readonly cover: (message: ServerMessage) => void;
  /** Nobody reads what is sent to it, or the broker would not take it. */
  readonly lost: (reason: string | undefined) => void;
}

/** Verdicts that a client has to say Hello anew for, with another nonce. */
const ANEW: ReadonlySet<Verdict> = new Set([Verdict.NO_SESSION, Verdict.OTHER_RUN]);

export class RelayedClient implements Source {
  readonly route: Route;
  readonly sender: Sender;
  /** The run it speaks of; a message of another one it would drop. Empty before Welcome. */
  runId = "";
  lastHeardMs = 0;
  readonly #options: RelayedClientOptions;
  readonly #unread = new Unread();
  readonly #judgements: Judgement[] = [];
  #lane: Waiting[] = [];
  /** Hello's nonces on the connection of now, in hexadecimal; undefined where it began without one. */
  #nonces: Set<string> | undefined;
  #startsAnew = false;
  #toldToGo = false;
  #over = false;

  constructor(options: RelayedClientOptions) {
    this.route = options.route;
    this.sender = options.sender;
    this.#options = options;
  }

  /** Remembers its run, and what tells a connection from the one before: the nonce of its Hello. */
  heard({ runId, body }: ClientMessage): void {
    if (runId !== "") this.runId = runId;
    if (body.case !== "hello") return;
    const nonce = body.value.nonce.toHex();
    // Turned away, it says another one on the same connection, whose will has the first.
    if (this.#startsAnew) this.#nonces?.add(nonce);
    else this.#nonces = new Set([nonce]);
    this.#startsAnew = false;
  }

  /** Whether a last will is of its connection of now, and of no earlier one. */
  isEndedBy({ body }: ClientMessage): boolean {
    return body.case === "leave" && (this.#nonces?.has(body.value.nonce.toHex()) ?? true);
  }

  /** Resolves once the answer was written, behind those to what was delivered before. */
  async answer(verdict: Promise<Answer | undefined>): Promise<Answer | undefined> {
    const done = Promise.withResolvers<void>();
    const judgement: Judgement = { judged: false, answer: undefined, done: done.resolve };
    this.#judgements.push(judgement);
    const answer = await verdict;
    if (answer !== undefined && ANEW.has(answer.body.value.verdict)) this.#startsAnew = true;
    judgement.judged = true;
    judgement.answer = answer;
    this.#answerInOrder();
    await done.promise;
    return answer;
  }

  #answerInOrder(): void {
    for (;;) {
      const [first] = this.#judgements;
      if (first === undefined || !first.judged) return;
      this.#judgements.shift();
      if (first.answer === undefined || this.#over) first.done();
      else this.#options.outflow.answer(this.#letter(first.answer, first.done));
    }
  }

  async send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    if (signal.aborted) return "stalled";
    if (this.#over) return "gone";
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    const waiting: Waiting = { message, resolve };
    this.#lane.push(waiting);
    const abort = () => {
      this.#lane = this.#lane.filter((each) => each !== waiting);
      resolve("stalled");
      this.#options.outflow.offer(this); // what came behind it may fit
    };
    signal.addEventListener("abort", abort);
    try {
      this.#options.outflow.offer(this);
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  next(): Letter | undefined {
    const [first] = this.#lane;
    if (first === undefined) return undefined;
    const { message, resolve } = first;
    const part = message.body.case === "modelPart" ? message.body.value : undefined;
    if (part !== undefined && this.#unread.bytes >= this.#options.maxUnreadBytes) return undefined;
    this.#lane.shift();
    if (part !== undefined) this.#unread.add(part);
    return this.#letter(message, () => resolve("taken"));
  }

  acknowledge(held: ModelOffset): void {
    this.#unread.acknowledge(held);
    this.#options.outflow.offer(this);
  }

  #letter(message: ServerMessage, written: () => void): Letter {
    if (message.body.case === "closing") this.#toldToGo = true;
    if (message.runId !== "") this.runId = message.runId;
    this.#options.cover(message);
    return {
      address: this.sender.address,
      bytes: encodeServerMessage(message),
      written,
      lost: this.#options.lost,
    };
  }

  /**
   * Nothing is sent to it any more, but for `closing` where it was not told to go: only a client can
   * end its connection to a broker.
   */
  end(closing: ServerMessage | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const lane = this.#lane.splice(0);
    const told = lane.find(({ message }) => message.body.case === "closing");
    for (const { resolve } of lane) resolve("gone");
    for (const { done } of this.#judgements.splice(0)) done();
    if (closing === undefined || this.#toldToGo) return;
    const { message } = told ?? { message: closing };
    this.#options.outflow.answer(this.#letter(message, () => {}));
  }
}
