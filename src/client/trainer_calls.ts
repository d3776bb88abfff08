/** What is asked of the trainer's Worker, and how it crosses. */

import type { Topology, TrainProgress, TrainTask } from "./trainer.ts";

/** What a data set holds, for Hello and for people. */
export interface Samples {
  readonly samples: number;
  /** Samples of each class. */
  readonly classCounts: readonly number[];
}

/** Carried out one after the other, and answered. */
export type TrainerCall =
  | {
    readonly kind: "open";
    readonly id: number;
    readonly data: string;
    /** Of the time, above 0 and at most 1: what training and evaluation may compute for. */
    readonly cpuShare: number;
  }
  | { readonly kind: "prepare"; readonly id: number; readonly topology: Topology }
  | {
    readonly kind: "initialise";
    readonly id: number;
    readonly topology: Topology;
    readonly seed: number;
  }
  | {
    readonly kind: "train";
    readonly id: number;
    readonly model: Uint8Array<ArrayBuffer>;
    readonly task: TrainTask;
  }
  | {
    readonly kind: "evaluate";
    readonly id: number;
    readonly model: Uint8Array<ArrayBuffer>;
  };

/** `stop` gives the call of that number up: the Worker, busy as it is, stops between two batches. */
export type TrainerRequest = TrainerCall | { readonly kind: "stop"; readonly id: number };

/** A stopped call is not answered: whoever stopped it does not wait any more. */
export type TrainerReply =
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  | { readonly kind: "progress"; readonly id: number; readonly progress: TrainProgress }
  | {
    readonly kind: "rejected";
    readonly id: number;
    readonly reason: string;
    /** The error's class. */
    readonly error: "DatasetError" | "TrainerError" | "Error";
  };
