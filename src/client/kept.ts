/** What a client keeps, so that it goes on where it was after its process was killed. */

import type { Update } from "./upload.ts";

/** A whole model. */
export interface KeptModel {
  readonly round: number;
  /** safetensors, as the server sent it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: Uint8Array<ArrayBuffer>;
}

export interface KeptSession {
  readonly runId: string;
  readonly session: Uint8Array;
}

/** What an earlier process has left: a session, with the model and the update of its run. */
export interface Kept extends KeptSession {
  readonly model: KeptModel | undefined;
  readonly update: Update | undefined;
}

/** A run that this client took part in to its end. */
export interface FinishedRun {
  readonly runId: string;
  readonly modelSha256: Uint8Array;
}

/** Takes what is to be kept. Nothing of it rejects: a client goes on without keeping anything. */
export interface Keeping {
  session(session: KeptSession): void;
  model(runId: string, model: KeptModel): void;
  /** Resolves once it is kept, or cannot be. Undefined: there is none any more. */
  update(runId: string, update: Update | undefined): Promise<void>;
  finished(run: FinishedRun): void;
}
