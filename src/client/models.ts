/** The models a client holds: the newest whole one, and the one that comes in. */

import type { ModelPart } from "../contract/federation_pb.ts";
import { Download } from "./download.ts";
import type { KeptModel } from "./kept.ts";

export class Models {
  #coming: Download | undefined;
  #whole: Download | undefined;
  /** A whole model that may not be the run's any more. */
  #doubted: Download | undefined;

  /** @param model Of an earlier process. */
  constructor(model?: KeptModel) {
    if (model !== undefined) this.#coming = this.#whole = Download.of(model);
  }

  /** The newest whole model, but for one that is in doubt. */
  get whole(): Download | undefined {
    return this.#whole === this.#doubted ? undefined : this.#whole;
  }

  /** The server that opens a session has not judged what is held: its round may have been given up. */
  doubt(): void {
    this.#doubted = this.#whole;
  }

  /** The server has judged it: this model, or whatever is held. Gives back whether it was in doubt. */
  trust(model = this.#doubted): boolean {
    if (model === undefined || this.#doubted !== model) return false;
    this.#doubted = undefined;
    return true;
  }

  /** The newest model, as far as it has come. */
  get newest(): Download | undefined {
    return this.#coming;
  }

  /**
   * Takes a part of a model of `totalBytes`; parts of an older one than has begun are dropped. Gives
   * back the model where the server is to be told how much of it is held.
   */
  take(
    part: ModelPart,
    { totalBytes, stepBytes }: { totalBytes: bigint | undefined; stepBytes: number },
  ): Download | undefined {
    if (part.totalBytes !== totalBytes) return undefined;
    if (this.#coming === undefined || part.modelRound > this.#coming.round) {
      this.#coming = new Download(part);
    }
    const model = this.#coming;
    if (part.modelRound < model.round || !model.take(part, stepBytes)) return undefined;
    if (model.sha256 !== undefined) this.#whole = model;
    return model;
  }

  /** What the server calls damaged comes again from its beginning. False where it is gone already. */
  forget(model: Download): boolean {
    if (this.#coming !== model) return false;
    this.clear();
    return true;
  }

  clear(): void {
    this.#coming = undefined;
    this.#whole = undefined;
    this.#doubted = undefined;
  }
}
