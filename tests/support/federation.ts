/** A whole federation for tests: the real coordinator and vault Worker, any wires, clients by hand. */

import assert from "node:assert/strict";
import { WorkerLink } from "../../src/contract/link.ts";
import { PacedServer } from "../../src/contract/paced_server.ts";
import type { Address, Link, WireName } from "../../src/contract/protocol_server.ts";
import { Coordinator } from "../../src/coordinator/coordinator.ts";
import type { CoordinatorOptions } from "../../src/coordinator/options.ts";
import type { Plan } from "../../src/coordinator/round.ts";
import type { StoppingRules } from "../../src/coordinator/stopping.ts";
import { type Events, openEvents } from "../../src/events.ts";
import type { Fields } from "../../src/log.ts";
import { Metrics } from "../../src/metrics.ts";
import type { VaultCalls } from "../../src/vault/calls.ts";
import { VaultLink } from "../../src/vault/link.ts";
import { encodeSafetensors } from "../../src/weights/safetensors.ts";
import type { NamedTensors } from "../../src/weights/tensors.ts";
import { guarded, serverOptions, type Subject, urlOf } from "../protocols/subject.ts";
import { Awaitable } from "./awaitable.ts";
import { ManualClock } from "./manual_clock.ts";
import { Member } from "./member.ts";

/** One wire of a federation. `Subject`s of other protocols have other options. */
// deno-lint-ignore no-explicit-any -- each subject makes and takes its own options, which nobody else sees
export type AnySubject = Subject<any>;

export interface FederationSpec {
  readonly subjects: readonly AnySubject[];
  readonly placement?: "in process" | "in its Worker";
  readonly plan?: Partial<Plan>;
  readonly limits?: Partial<CoordinatorOptions["limits"]>;
  readonly deadlineFactor?: number;
  readonly evaluateFraction?: number;
  readonly model?: Uint8Array<ArrayBuffer>;
  readonly state?: string;
  readonly stopping?: StoppingRules;
  /** The server's own evaluation of each model. */
  readonly evaluate?: NonNullable<CoordinatorOptions["evaluate"]>;
  /** Puts something between the coordinator and the vault's Worker, to delay or fail a call. */
  readonly vault?: (calls: VaultCalls) => VaultCalls;
}

export const PART_BYTES = 1024;
export const HEARTBEAT_MS = 10_000;
export const ROUND_TIMEOUT_MS = 600_000;
export const GRACE_MS = 5000;
export const FINISH_TIMEOUT_MS = 60_000;

/** One line of the server's log. */
export interface LogLine {
  readonly message: string;
  readonly fields: Fields;
}

export class Federation implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly log: Awaitable<LogLine>;
  readonly coordinator: Coordinator;
  readonly #stack: AsyncDisposableStack;
  readonly #addresses: ReadonlyMap<WireName, readonly Address[]>;
  readonly #subjects: readonly AnySubject[];

  private constructor(parts: {
    coordinator: Coordinator;
    clock: ManualClock;
    log: Awaitable<LogLine>;
    stack: AsyncDisposableStack;
    addresses: ReadonlyMap<WireName, readonly Address[]>;
    subjects: readonly AnySubject[];
  }) {
    this.coordinator = parts.coordinator;
    this.clock = parts.clock;
    this.log = parts.log;
    this.#stack = parts.stack;
    this.#addresses = parts.addresses;
    this.#subjects = parts.subjects;
  }

  static async open(spec: FederationSpec): Promise<Federation> {
    await using stack = new AsyncDisposableStack();
    const log = new Awaitable<LogLine>();
    const events = eventsTo(log);
    const { vault, opened } = await VaultLink.open({
      stateDirectory: spec.state,
      name: "default",
      strategy: { name: "fedavg", options: {} },
      keepModels: 3,
      durability: "process",
      keepRounds: 1000,
      initialModel: (spec.model ?? weights([0, 0, 0, 0])).buffer,
    });
    stack.use(vault);
    const clock = new ManualClock();
    const limits = {
      maxClients: 100,
      maxLabelBytes: 4096,
      maxUnsentMessages: 256,
      maxSamples: 1_000_000,
      maxUpdateBytes: 128 * 1024 * 1024,
      maxBytesInFlight: 1024 * 1024 * 1024,
      uploadExpiryMs: 600_000,
      partBytes: PART_BYTES,
      windowBytes: 16 * PART_BYTES,
      heartbeatIntervalMs: HEARTBEAT_MS,
      ...spec.limits,
    };
    const coordinator = stack.use(
      new Coordinator({
        name: "default",
        plan: {
          rounds: 1,
          minClients: 1,
          clientsPerRound: { fraction: 1 },
          quorum: 1,
          convergedFraction: 1,
          seed: 1,
          ...spec.plan,
        },
        roundTimeoutMs: ROUND_TIMEOUT_MS,
        deadlineFactor: spec.deadlineFactor,
        graceMs: GRACE_MS,
        stopping: spec.stopping ?? { metric: "accuracy" },
        evaluation: { fraction: spec.evaluateFraction ?? 0, timeoutMs: 60_000 },
        finishTimeoutMs: FINISH_TIMEOUT_MS,
        settings: () => ({ epochs: 1 }),
        topology: { bytes: new Uint8Array([1, 2, 3]), type: "application/octet-stream" },
        keepRounds: 1000,
        limits,
        vault: spec.vault?.(vault.calls) ?? vault.calls,
        ...(spec.evaluate === undefined ? {} : { evaluate: spec.evaluate }),
        opened,
        clock,
        events,
      }),
    );
    const pacing = {
      runId: opened.runId,
      partBytes: limits.partBytes,
      windowBytes: limits.windowBytes,
    };
    const addresses = new Map<WireName, readonly Address[]>();
    for (const subject of spec.subjects) {
      const guard = guarded(subject);
      const server = { ...serverOptions(subject.wire, subject.tls), ...guard.server };
      const paced = { ...pacing, ...guard.pacing };
      const own = subject.own();
      const link: Link = stack.use(
        spec.placement === "in process"
          ? new PacedServer(subject.make(server, own), paced)
          : new WorkerLink(subject.spawn(own), { server, own }, paced),
      );
      addresses.set(subject.wire, await coordinator.attach(subject.wire, link));
    }
    const { subjects } = spec;
    return new Federation({ coordinator, clock, log, stack: stack.move(), addresses, subjects });
  }

  /** A client that says Hello, and has heard Welcome. */
  async join(
    clientId: string,
    options: { wire?: WireName; samples?: number; nonce?: Uint8Array; token?: string } = {},
  ): Promise<Member> {
    const member = await this.dial(clientId, options.wire);
    await member.hello(options);
    return member;
  }

  /** A client that is connected, and has said nothing. */
  async dial(clientId: string, wire?: WireName): Promise<Member> {
    const subject = this.#subjects.find((each) => each.wire === wire) ?? this.#subjects[0];
    assert.ok(subject);
    return await Member.connect(subject.dial, this.url(subject.wire), clientId);
  }

  /** The address of a wire; of the first one, if none is named. */
  url(wire: WireName = this.#subjects[0]?.wire ?? "", scheme?: string): string {
    const subject = this.#subjects.find((each) => each.wire === wire);
    return urlOf(this.#addresses.get(wire) ?? [], scheme ?? subject?.scheme);
  }

  /** The first log line with this message, and these fields. */
  async logged(message: string, fields: Fields = {}): Promise<LogLine> {
    return await this.log.find((line) =>
      line.message === message &&
      Object.entries(fields).every(([name, value]) => line.fields[name] === value)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

export function eventsTo(log: Awaitable<LogLine>): Events {
  const write = (_level: string, message: string, fields: Fields) => log.push({ message, fields });
  return openEvents({ write }, new Metrics());
}

/** safetensors with one F32 tensor "w". */
export function weights(values: readonly number[]): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(tensors(values));
}

function tensors(values: readonly number[]): NamedTensors {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return new Map([["w", { name: "w", dtype: "F32", shape: [values.length], bytes }]]);
}
