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
  | { readonly kind: "lost"; readonly wire: string; readonly reason: string };
