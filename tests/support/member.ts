/** A client in a federation, driven by hand: says what it is told, remembers what it hears. */

import assert from "node:assert/strict";
import type { Dial } from "../../src/contract/connection.ts";
import {
  type ClientMessage,
  type Closing,
  type Finish,
  type Receipt,
  type RoundClosed,
  type Task,
  TaskKind,
  Verdict,
  type Welcome,
} from "../../src/contract/federation_pb.ts";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection } from "../../src/weights/tensors.ts";
import { body, hello, Peer } from "./peer.ts";

export interface UpdateInit {
  readonly samples?: number;
  readonly uploadId?: Uint8Array;
  readonly modelRound?: number;
  readonly taskId?: number;
  readonly metrics?: Record<string, number>;
}

/** What a server says, by the name of the message's body. */
interface Heard {
  readonly roundClosed: RoundClosed;
  readonly finish: Finish;
  readonly closing: Closing;
}

export class Member implements AsyncDisposable {
  readonly peer: Peer;
  session: Uint8Array = new Uint8Array();
  runId = "";

  private constructor(peer: Peer) {
    this.peer = peer;
  }

  static async connect(dial: Dial, url: string, clientId: string): Promise<Member> {
    return new Member(await Peer.dial(dial, url, clientId));
  }

  get clientId(): string {
    return this.peer.clientId;
  }

  /** Says Hello; with `session`, to resume or attach. Remembers what Welcome says. */
  async hello(
    init: {
      samples?: number;
      nonce?: Uint8Array;
      session?: Uint8Array;
      attach?: boolean;
      token?: string;
    } = {},
  ): Promise<Welcome> {
    const another = this.session.length > 0; // than that of its first Hello
    const nonce = init.nonce ??
      (another ? crypto.getRandomValues(new Uint8Array(16)) : this.peer.nonce);
    const from = this.peer.heard.all.length;
    const receipt = await this.peer.ask(hello({ ...init, nonce }));
    assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
    const message = await this.peer.heard.find((heard) => heard.body.case === "welcome", from);
    assert.ok(message.body.case === "welcome");
    this.session = message.body.value.session;
    this.runId = message.runId;
    return message.body.value;
  }

  async ask(
    content: ClientMessage["body"],
    more: { runId?: string; session?: Uint8Array; clientId?: string } = {},
  ): Promise<Receipt> {
    return await this.peer.ask(content, { runId: this.runId, session: this.session, ...more });
  }

  /** The newest or next task of a kind for a round. */
  async task(round: number, kind = TaskKind.TRAIN): Promise<Task> {
    const message = await this.peer.heard.find(({ body: heard }) =>
      heard.case === "task" && heard.value.round === round && heard.value.kind === kind
    );
    assert.ok(message.body.case === "task");
    return message.body.value;
  }

  /** The first message of a kind. */
  async hears<Case extends keyof Heard>(what: Case): Promise<Heard[Case]> {
    const message = await this.peer.heard.find((heard) => heard.body.case === what);
    return message.body.value as Heard[Case];
  }

  /** Downloads the model of a round, acknowledging each part. */
  async model(round: number): Promise<Uint8Array<ArrayBuffer>> {
    let held: Uint8Array<ArrayBuffer> | undefined;
    for (let offset = 0, next = 0;; next++) {
      const message = await this.peer.heard.find(() => true, next);
      if (message.body.case !== "modelPart" || message.body.value.modelRound !== round) continue;
      const part = message.body.value;
      held ??= new Uint8Array(Number(part.totalBytes));
      if (Number(part.offset) !== offset) continue; // sent again
      held.set(part.bytes, offset);
      offset += part.bytes.length;
      const whole = offset === held.length;
      const sha256 = whole
        ? new Uint8Array(await crypto.subtle.digest("SHA-256", held))
        : new Uint8Array();
      const value = { modelRound: round, offset: BigInt(offset), sha256 };
      const receipt = await this.ask(body({ case: "modelHeld", value }));
      assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
      if (whole) return held;
    }
  }

  /** Sends bytes `from` to `to` of an update, in one part. */
  async part(
    task: Task,
    update: Uint8Array,
    { from = 0, to = update.length, ...init }: UpdateInit & { from?: number; to?: number } = {},
  ): Promise<Receipt> {
    return await this.ask(partOf(task, update, { from, to, ...init }));
  }

  /** Sends a whole update in parts of `partBytes`. */
  async update(
    task: Task,
    update: Uint8Array,
    { partBytes = update.length, ...init }: UpdateInit & { partBytes?: number } = {},
  ): Promise<Receipt> {
    const uploadId = crypto.getRandomValues(new Uint8Array(16));
    for (let from = 0;; from += partBytes) {
      const to = Math.min(from + partBytes, update.length);
      const receipt = await this.part(task, update, { uploadId, ...init, from, to });
      if (receipt.verdict !== Verdict.HELD || to === update.length) return receipt;
    }
  }

  /** Confirms the final model, as a client that heard Finish does. */
  async confirm(): Promise<Receipt> {
    const finish = await this.hears("finish");
    const model = await this.model(finish.round);
    const modelSha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
    return await this.ask(body({ case: "leave", value: { reason: 1, modelSha256 } }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }
}

export function partOf(
  task: Task,
  update: Uint8Array,
  { from, to, ...init }: UpdateInit & { from: number; to: number },
): ClientMessage["body"] {
  return body({
    case: "updatePart",
    value: {
      taskId: init.taskId ?? task.taskId,
      modelRound: init.modelRound ?? task.modelRound,
      uploadId: init.uploadId ?? new Uint8Array(16).fill(1),
      samples: init.samples ?? 100,
      metrics: init.metrics ?? {},
      totalBytes: BigInt(update.length),
      offset: BigInt(from),
      bytes: update.subarray(from, to),
    },
  });
}

/** The values of the F32 tensor "w" of a safetensors file. */
export function valuesOf(model: Uint8Array): number[] {
  const tensors = decodeSafetensors(model);
  assert.ok(!isRejection(tensors));
  const tensor = tensors.get("w");
  assert.ok(tensor);
  return [...new Float32Array(tensor.bytes.slice().buffer)];
}
