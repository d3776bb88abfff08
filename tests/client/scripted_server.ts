/** A server that says what the test wants, over a real wire, and a client that joins it. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { serverMessage } from "../../src/contract/codec.ts";
import { type ClientMessage, Verdict } from "../../src/contract/federation_pb.ts";
import { PacedServer } from "../../src/contract/paced_server.ts";
import type { Answer, Arrival, Route } from "../../src/contract/protocol_server.ts";
import { Session, type SessionEvent, type SessionOptions } from "../../src/client/session.ts";
import { serverOptions } from "../protocols/subject.ts";
import { Awaitable } from "../support/awaitable.ts";
import { weights } from "../support/federation.ts";
import { grpc } from "../support/grpc.ts";
import { answer, RUN_ID, ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { GivenTrainer } from "./given_trainer.ts";

export const MODEL = weights([1, 2, 3, 4]);
export const SHA256 = new Uint8Array(createHash("sha256").update(MODEL).digest());
const { signal } = new AbortController();

type Case = Exclude<ClientMessage["body"]["case"], undefined>;
type Reply = (message: ClientMessage, route: Route) => Answer | undefined | Promise<Answer>;

/** A server whose script is a reply by message kind; what has none is accepted. */
export class Script implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly replies: { [Kind in Case]?: Reply } = {
    hello: (message, at) => this.welcome(message, at),
  };
  readonly #link: PacedServer;
  heartbeatIntervalMs = 20_000;
  url = "";

  private constructor() {
    const server = grpc.make(serverOptions("grpc"), grpc.own());
    this.#link = new PacedServer(server, { runId: RUN_ID, partBytes: 20, windowBytes: 80 });
  }

  static async open(replies: Script["replies"] = {}): Promise<Script> {
    const script = new Script();
    Object.assign(script.replies, replies);
    const { coordinator } = script;
    coordinator.deliver = async (arrival) => {
      coordinator.arrivals.push(arrival);
      if (arrival.kind !== "message") return undefined;
      const { message, route } = arrival;
      const reply = script.replies[message.body.case ?? "heartbeat"];
      const verdict = await reply?.(message, route) ?? answer(message.sequence, Verdict.ACCEPTED);
      return message.sequence === 0 ? undefined : verdict;
    };
    const [address] = await script.#link.listen(coordinator);
    script.url = address?.url ?? "";
    await script.#link.hold({ round: 1, bytes: MODEL.slice().buffer });
    return script;
  }

  say(route: Route, body: Parameters<typeof serverMessage>[0]["body"], runId = RUN_ID): void {
    const message = serverMessage({ runId, ...(body === undefined ? {} : { body }) });
    void this.#link.send(route, message, { signal });
  }

  /** Welcomes whoever says Hello. */
  welcome({ body }: ClientMessage, route: Route, more: { nonce?: Uint8Array } = {}): undefined {
    assert.ok(body.case === "hello");
    const value = {
      session: new Uint8Array(16).fill(3),
      nonce: body.value.nonce,
      round: 1,
      heartbeatIntervalMs: this.heartbeatIntervalMs,
      windowBytes: 80,
      largestPartBytes: 20,
      model: { bytes: BigInt(MODEL.length) },
      ...more,
    };
    this.say(route, { case: "welcome", value });
  }

  download(route: Route): void {
    void this.#link.download(route, { round: 1, offset: 0 }, { signal }).catch(() => {});
  }

  acknowledge(route: Route, offset: bigint): void {
    this.#link.acknowledge(route, { round: 1, offset: Number(offset) });
  }

  drop(route: Route): void {
    this.#link.drop(route, "the script drops it");
  }

  finish(route: Route, modelSha256 = SHA256): void {
    this.say(route, { case: "finish", value: { reason: "done", round: 1, modelSha256 } });
  }

  /** All messages of a kind so far. */
  heard(kind: Case): Extract<Arrival, { kind: "message" }>[] {
    return this.coordinator.arrivals.all.filter((arrival) =>
      arrival.kind === "message" && arrival.message.body.case === kind
    ) as Extract<Arrival, { kind: "message" }>[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }
}

/** A client that joins the script, until its end or that of the scope. */
export function join(script: Script, firstMs = 1, more: Partial<SessionOptions> = {}) {
  const abort = new AbortController();
  const events = new Awaitable<SessionEvent>();
  const trainer = new GivenTrainer(() => MODEL.slice());
  const run = new Session({
    clientId: "a",
    urls: [new URL(script.url)],
    trainer,
    software: "test/1",
    signal: abort.signal,
    observe: (event) => events.push(event),
    backoff: { firstMs, mostMs: firstMs },
    ...more,
  }).run();
  run.catch(() => {});
  return {
    run,
    abort: () => abort.abort(new Error("the test stops it")),
    events,
    trainer,
    async [Symbol.asyncDispose]() {
      abort.abort(new Error("the test is over"));
      await run.catch(() => {});
    },
  };
}

/** Sends the model with Welcome, and passes on what is held of it. */
export function withModel(script: Script, then: (route: Route) => void): void {
  script.replies.hello = (message, route) => {
    script.welcome(message, route);
    script.download(route);
    return undefined;
  };
  script.replies.modelHeld = ({ body }, route) => {
    assert.ok(body.case === "modelHeld");
    script.acknowledge(route, body.value.offset);
    if (body.value.sha256.length > 0) then(route);
    return undefined;
  };
}
