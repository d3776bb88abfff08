/** What a client tells whoever watches it. */

import type { Verdict } from "../contract/federation_pb.ts";
import type { TrainProgress } from "./trainer.ts";

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
  /** A part of a model has come in, at `offset`. */
  | {
    readonly kind: "modelPart";
    readonly round: number;
    readonly offset: number;
    readonly bytes: number;
    readonly totalBytes: number;
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
  /** The server has no use for this client for now, which time alone mends. */
  | { readonly kind: "waiting"; readonly reason: string; readonly retryInMs: number }
  | { readonly kind: "lost"; readonly wire: string; readonly reason: string }
  /** Between two rounds, or after a failure: which of several wires is taken, and why. */
  | {
    readonly kind: "wireChosen";
    readonly choice: "stay" | "move" | "try" | "keep" | "return" | "fallBack";
    readonly url: string;
    readonly reason: string;
    readonly wires: readonly WireFigures[];
  };

/** What was seen of a wire of late; undefined is what was not seen yet. */
export interface WireFigures {
  readonly url: string;
  readonly standing: "untried" | "well" | "lost" | "unreachable";
  readonly connectSeconds: number | undefined;
  readonly downBytesPerSecond: number | undefined;
  readonly upBytesPerSecond: number | undefined;
  /** Each counts half as much with each round since. */
  readonly failures: number;
  /** Of a round, all together. */
  readonly costSeconds: number | undefined;
  /** Rounds since it was used or called. */
  readonly unusedRounds: number;
}
