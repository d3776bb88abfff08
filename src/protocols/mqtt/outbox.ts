/**
 * The outbound side of one connection: one writer, three queues. Control packets go first, then
 * answers with their acknowledgements, then sends; a message once begun is written to its end.
 */

import { encodeServerMessage } from "../../contract/codec.ts";
import type { ServerMessage } from "../../contract/federation_pb.ts";
import type { SendOutcome } from "../../contract/protocol_server.ts";
import { encode, encodePublish, join, type Packet } from "./packets.ts";
import { Window } from "./window.ts";
import type { Level } from "./wire.ts";

export interface OutboxOptions {
  readonly level: Level;
  /** The client's down topic. */
  readonly topic: string;
  /** The client's Receive Maximum. */
  readonly receiveMaximum: number;
  /** Writes all of some bytes; rejects when the connection is lost. Never called concurrently. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

interface QueuedAnswer {
  readonly message: ServerMessage | undefined;
  readonly acknowledgement: Packet | undefined;
  readonly written: () => void;
}

interface QueuedSend {
  readonly message: ServerMessage;
  settle(outcome: SendOutcome): void;
}

/** What is written next, and what to do once it is. */
interface Batch {
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  written(): void;
}

/** At most so many answers are joined into one write. */
const ANSWERS_AT_ONCE = 64;

/** With more control packets waiting, the client has to read before it is read on. */
const CONTROL_LIMIT = 64;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #window: Window;
  readonly #control: Uint8Array<ArrayBuffer>[] = [];
  readonly #answers: QueuedAnswer[] = [];
  readonly #sends: QueuedSend[] = [];
  readonly #finished = Promise.withResolvers<void>();
  #roomy: PromiseWithResolvers<void> | undefined;
  /** The send that is being written. */
  #begun: QueuedSend | undefined;
  #last: Packet | undefined;
  #downQos: 0 | 1 | undefined;
  #runId: string | undefined;
  #state: "open" | "finishing" | "over" = "open";
  #writing = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#window = new Window(options.receiveMaximum);
  }

  /** The QoS of the client's subscription to its down topic; undefined: not subscribed. */
  get downQos(): 0 | 1 | undefined {
    return this.#downQos;
  }

  set downQos(qos: 0 | 1 | undefined) {
    this.#downQos = qos;
    if (qos === undefined) this.#refuseSends();
  }

  /** The run of what was written last; undefined while no message was. */
  get runId(): string | undefined {
    return this.#runId;
  }

  /** A packet that waits for no message: PINGRESP, SUBACK, PUBCOMP, ... */
  control(packet: Packet): void {
    if (this.#state !== "open") return;
    this.#control.push(encode(packet, this.#options.level));
    this.#wake();
  }

  /** Resolves while few control packets wait: a client that only asks is not read for ever. */
  async room(): Promise<void> {
    if (this.#state !== "open" || this.#control.length < CONTROL_LIMIT) return;
    this.#roomy ??= Promise.withResolvers<void>();
    await this.#roomy.promise;
  }

  /**
   * Writes an answer and then the acknowledgement of the message it answers. Without a
   * subscription the acknowledgement alone. Resolves once both have left or never will.
   */
  answer(
    message: ServerMessage | undefined,
    acknowledgement: Packet | undefined,
  ): Promise<void> {
    if (this.#state !== "open") return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answers.push({ message, acknowledgement, written: resolve });
    this.#wake();
    return promise;
  }

  /** Resolves once the connection took the whole message; see `ProtocolServer.send`. */
  send(message: ServerMessage, signal: AbortSignal): Promise<SendOutcome> {
    if (this.#state !== "open" || this.#downQos === undefined) return Promise.resolve("gone");
    if (signal.aborted) return Promise.resolve("stalled");
    const { promise, resolve } = Promise.withResolvers<SendOutcome>();
    const stall = () => {
      const index = this.#sends.indexOf(entry);
      if (index >= 0) this.#sends.splice(index, 1);
      entry.settle("stalled");
    };
    const entry: QueuedSend = {
      message,
      settle(outcome) {
        signal.removeEventListener("abort", stall);
        resolve(outcome);
      },
    };
    signal.addEventListener("abort", stall);
    this.#sends.push(entry);
    this.#wake();
    return promise;
  }

  /** The client acknowledged one of our QoS 1 messages. */
  acknowledged(packetIdentifier: number): void {
    if (this.#window.release(packetIdentifier)) this.#wake();
  }

  /**
   * Takes nothing more and refuses the sends that have not begun. Resolves once what was taken has
   * left, with `last` behind it, or never will.
   */
  finish(last: Packet | undefined): Promise<void> {
    if (this.#state === "open") {
      this.#state = "finishing";
      this.#last = last;
      this.#refuseSends();
      this.#wake();
    }
    return this.#finished.promise;
  }

  /** The connection is over: settles everything. */
  abandon(): void {
    this.#state = "over";
    this.#refuseSends();
    this.#begun?.settle("gone");
    for (const answer of this.#answers.splice(0)) answer.written();
    this.#roomy?.resolve();
    this.#finished.resolve();
  }

  #refuseSends(): void {
    for (const send of this.#sends.splice(0)) send.settle("gone");
  }

  #wake(): void {
    if (!this.#writing) void this.#write();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      for (let batch = this.#next(); batch !== undefined; batch = this.#next()) {
        for (const piece of batch.pieces) await this.#options.write(piece);
        batch.written();
      }
      if (this.#state === "finishing") this.abandon();
    } catch {
      // Whoever reads learns of the loss, after what the client said before it.
      this.abandon();
    }
    this.#writing = false;
  }

  #next(): Batch | undefined {
    if (this.#state === "over") return undefined;
    if (this.#control.length > 0) {
      return { pieces: [join(this.#control.splice(0))], written: () => this.#makeRoom() };
    }
    return this.#nextAnswers() ??
      (this.#state === "open" ? this.#nextSend() : this.#nextLast());
  }

  #makeRoom(): void {
    this.#roomy?.resolve();
    this.#roomy = undefined;
  }

  #nextAnswers(): Batch | undefined {
    const { level } = this.#options;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const written: (() => void)[] = [];
    while (written.length < ANSWERS_AT_ONCE) {
      const answer = this.#answers[0];
      if (answer === undefined) break;
      if (answer.message !== undefined && this.#downQos !== undefined) {
        const publish = this.#publish(answer.message, "answer");
        if (publish === undefined) break;
        pieces.push(...publish);
      }
      if (answer.acknowledgement !== undefined) pieces.push(encode(answer.acknowledgement, level));
      written.push(answer.written);
      this.#answers.shift();
    }
    if (written.length === 0) return undefined;
    return {
      pieces: pieces.length === 0 ? [] : [join(pieces)],
      written: () => written.forEach((done) => done()),
    };
  }

  #nextSend(): Batch | undefined {
    const send = this.#sends[0];
    if (send === undefined) return undefined;
    const pieces = this.#publish(send.message, "send");
    if (pieces === undefined) return undefined;
    this.#sends.shift();
    this.#begun = send;
    return {
      pieces,
      written: () => {
        this.#begun = undefined;
        send.settle("taken");
      },
    };
  }

  #nextLast(): Batch | undefined {
    const last = this.#last;
    this.#last = undefined;
    return last === undefined
      ? undefined
      : { pieces: [encode(last, this.#options.level)], written() {} };
  }

  /** A PUBLISH to the down topic; undefined while the client's Receive Maximum is used up. */
  #publish(
    message: ServerMessage,
    use: "answer" | "send",
  ): Uint8Array<ArrayBuffer>[] | undefined {
    const { topic, level } = this.#options;
    const qos = this.#downQos ?? 0;
    const messageId = qos === 0 ? undefined : this.#window.take(use);
    if (qos === 1 && messageId === undefined) return undefined;
    this.#runId = message.runId;
    const identifier = messageId === undefined ? {} : { messageId };
    return encodePublish(
      { cmd: "publish", topic, qos, dup: false, retain: false, ...identifier },
      encodeServerMessage(message),
      level,
    );
  }
}
