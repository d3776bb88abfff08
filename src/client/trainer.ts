/** What an edge client asks of its local learning: one interface, whatever does the mathematics. */

/** What to build from a model's tensors, as Welcome carries it. */
export interface Topology {
  /** Media type of `bytes`; empty when the federation leaves it to the clients. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** One train or evaluate task of the server. */
export interface TrainTask {
  readonly taskId: number;
  readonly round: number;
  /** The strategy's and the operator's numbers: epochs, batch_size, learning_rate, mu, ... */
  readonly settings: Readonly<Record<string, number>>;
}

/** How far a training has come. */
export interface TrainProgress {
  /** Batches done of `batches`, all epochs together. */
  readonly batch: number;
  readonly batches: number;
  /** Mean loss of the newest batch. */
  readonly loss: number;
}

export interface TrainOptions {
  /** Stops the training between two batches; the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly progress?: (progress: TrainProgress) => void;
}

export interface TrainResult {
  /** Weights after training, safetensors: the names, dtypes and shapes of the model given. */
  readonly weights: Uint8Array<ArrayBuffer>;
  /** Samples trained on: the update's weight in the average. */
  readonly samples: number;
  /** `loss` and `accuracy` of these weights on the same samples. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface EvaluateResult {
  readonly samples: number;
  /** `loss` and `accuracy` of the model given. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Learns on this client's own samples, which never leave it. */
export interface Trainer extends AsyncDisposable {
  /** Training samples held: what Hello declares. */
  readonly samples: number;
  /** Learns what to build. Called after each Welcome and before the first task. */
  prepare(topology: Topology): Promise<void>;
  /** @param model safetensors of the global model; it stays the caller's. */
  train(model: Uint8Array, task: TrainTask, options: TrainOptions): Promise<TrainResult>;
  /** @param model safetensors of the global model; it stays the caller's. */
  evaluate(
    model: Uint8Array,
    task: TrainTask,
    options: { signal: AbortSignal },
  ): Promise<EvaluateResult>;
}

/** The model, the task or the local samples do not allow this training; the message says why. */
export class TrainerError extends Error {
  override readonly name = "TrainerError";
}

/** The trainer has ended by itself: it carries out no task any more. */
export class TrainerLost extends Error {
  override readonly name = "TrainerLost";
}
