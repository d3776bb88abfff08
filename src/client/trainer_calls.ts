/** What is asked of the trainer's Worker, and how it crosses. */

import type { Topology, TrainProgress, TrainTask } from "./trainer.ts";

/** What a data set holds, for Hello and for people. */
export interface Samples {
  readonly samples: number;
  /** Samples of each class. */
  readonly classCounts: readonly number[];
}

/** `stop` is one int32 of shared memory: 1 asks the Worker, busy as it is, to stop between batches. */
export type TrainerRequest =
  | { readonly kind: "open"; readonly id: number; readonly data: string }
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
    readonly stop: Int32Array<SharedArrayBuffer>;
  }
  | {
    readonly kind: "evaluate";
    readonly id: number;
    readonly model: Uint8Array<ArrayBuffer>;
    readonly stop: Int32Array<SharedArrayBuffer>;
  };

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
