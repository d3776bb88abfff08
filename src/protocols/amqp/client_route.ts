/** One client's way in and out over one connection: what it publishes to fl.up, what fl.down feeds it. */

import { arrivalOf } from "../../contract/codec.ts";
import type { ServerMessage } from "../../contract/federation_pb.ts";
import { Verdict } from "../../contract/federation_pb.ts";
import { Gate } from "../../contract/gate.ts";
import type { Answer, Deliver, Route, SendOutcome } from "../../contract/protocol_server.ts";
import { AmqpException } from "./exceptions.ts";
import type { Message } from "./message.ts";
import type { Feed, Queue } from "./queue.ts";
import { type Confirm, CONFIRMS, downMessage } from "./wire.ts";

/** Messages of no length count this much, so that the gate bounds their number too. */
const LEAST_BYTES = 256;

/** A message sent and not yet taken by a consumer. Encoded when it comes first. */
interface Waiting {
  readonly message: ServerMessage;
  encoded: Message | undefined;
  readonly resolve: (outcome: SendOutcome) => void;
}

/** A message delivered, in arrival order, until its answer and its confirm have gone out. */
interface Judgement {
  answer: Answer | undefined;
  judged: boolean;
  readonly confirm: (confirm: Confirm) => void;
}

export interface ClientRouteOptions {
  readonly route: Route;
  /** The routing key on both exchanges. */
  readonly key: string;
  readonly maxUnjudgedBytes: number;
  readonly deliver: Deliver;
  /** The client does not take its receipts: more of them than its queue may hold. */
  readonly overrun: () => void;
}

/**
 * Two lanes lead to the client's queue: answers enter it at once, what is sent enters it only as a
 * consumer can take it. So an answer is behind what the client was already given, and nothing else.
 */
export class ClientRoute implements Feed {
  readonly route: Route;
  readonly #options: ClientRouteOptions;
  readonly #gate: Gate;
  readonly #lane: Waiting[] = [];
  readonly #judgements: Judgement[] = [];
  #queue: Queue | undefined;
  #over = false;

  constructor(options: ClientRouteOptions) {
    this.route = options.route;
    this.#options = options;
    this.#gate = new Gate(options.maxUnjudgedBytes);
  }

  /**
   * Delivers a published message. Resolves once the connection may be read on.
   * @param confirm Called, in the order of the calls, after the answer was put into the client's queue,
   *   and so to the wire if the client takes it. Not later: a client that publishes, waits for the
   *   confirm, and acknowledges or polls only then would wait for ever.
   */
  async publish(body: Uint8Array, confirm: (confirm: Confirm) => void): Promise<void> {
    if (this.#over) return;
    const judgement: Judgement = { answer: undefined, judged: false, confirm };
    this.#judgements.push(judgement);
    const judged = this.#options.deliver(arrivalOf(this.route, body)).then((answer) => {
      judgement.answer = answer;
      judgement.judged = true;
      this.#answer();
    });
    this.#gate.hold(Math.max(body.length, LEAST_BYTES), judged);
    await this.#gate.enter();
  }

  /** Hands out what is judged, as far as everything before it is. */
  #answer(): void {
    for (;;) {
      const first = this.#judgements[0];
      if (first === undefined || !first.judged) return;
      this.#judgements.shift();
      const { answer, confirm } = first;
      if (answer !== undefined && this.#queue !== undefined) {
        const isTaken = this.#queue.offer(downMessage(this.#options.key, answer));
        if (!isTaken) return this.#options.overrun();
      }
      confirm(CONFIRMS[answer?.body.value.verdict ?? Verdict.UNSPECIFIED]);
    }
  }

  /** Feeds a queue, which takes from nobody else from then on. One queue at a time. */
  bind(queue: Queue): void {
    if (this.#queue === queue) return;
    if (this.#queue !== undefined) {
      const { name } = this.#queue.settings;
      throw new AmqpException("PRECONDITION_FAILED", `fl.down feeds queue '${name}' already`);
    }
    this.#queue = queue;
    queue.feed = this;
  }

  /** What is not bound is left as it is. */
  unbind(queue: Queue): void {
    if (this.#queue !== queue) return;
    queue.feed = undefined;
    this.closed();
  }

  peek(): Message | undefined {
    const first = this.#lane[0];
    if (first === undefined) return undefined;
    return first.encoded ??= downMessage(this.#options.key, first.message);
  }

  shift(): void {
    this.#lane.shift()?.resolve("taken");
  }

  closed(): void {
    this.#queue = undefined;
    for (const waiting of this.#lane.splice(0)) waiting.resolve("gone");
  }

  async send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    if (signal.aborted) return "stalled";
    if (this.#over || this.#queue === undefined) return "gone";
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    const waiting: Waiting = { message, encoded: undefined, resolve };
    this.#lane.push(waiting);
    const abort = () => {
      const at = this.#lane.indexOf(waiting);
      if (at !== -1) this.#lane.splice(at, 1);
      resolve("stalled");
    };
    signal.addEventListener("abort", abort);
    try {
      this.#queue.pump();
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** The route is over. With a reason, the coordinator is told. */
  end(reason: string | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#queue !== undefined) this.unbind(this.#queue);
    this.#judgements.length = 0;
    if (reason !== undefined) {
      void this.#options.deliver({ kind: "detached", route: this.route, reason });
    }
  }
}
