/** Gradient descent with momentum, and with FedProx's pull back to where it began. */

import * as tf from "@tensorflow/tfjs";
import type { TrainSettings } from "./train_settings.ts";

type Rates = Pick<TrainSettings, "learningRate" | "momentum" | "mu">;

/** Moves a network's weights; holds their velocities, and the weights it began with if mu > 0. */
export class Descent implements Disposable {
  readonly #moving: readonly {
    readonly weights: tf.Variable;
    readonly velocity: tf.Variable;
    readonly start: tf.Tensor | undefined;
  }[];
  readonly #rates: Rates;

  /** @param variables The trainable weights, at the values of the global model. */
  constructor(variables: readonly tf.Variable[], rates: Rates) {
    this.#rates = rates;
    this.#moving = variables.map((weights) => ({
      weights,
      velocity: tf.tidy(() => tf.variable(tf.zerosLike(weights), false)),
      start: rates.mu > 0 ? tf.clone(weights) : undefined,
    }));
  }

  /**
   * velocity = momentum * velocity + gradient; weights -= learningRate * velocity. With mu > 0 the
   * gradient of mu/2 * |weights - start|^2 is part of the gradient (Li et al., arXiv:1812.06127, eq. 2).
   *
   * @param gradients By the variables' names.
   */
  move(gradients: Readonly<Record<string, tf.Tensor>>): void {
    const { learningRate, momentum, mu } = this.#rates;
    tf.tidy(() => {
      for (const { weights, velocity, start } of this.#moving) {
        const steepest = gradients[weights.name];
        if (steepest === undefined) continue; // the loss does not depend on them
        const gradient = start === undefined
          ? steepest
          : tf.add(steepest, tf.mul(tf.sub(weights, start), mu));
        if (momentum > 0) velocity.assign(tf.add(tf.mul(velocity, momentum), gradient));
        const direction = momentum > 0 ? velocity : gradient;
        weights.assign(tf.sub(weights, tf.mul(direction, learningRate)));
      }
    });
  }

  [Symbol.dispose](): void {
    for (const { velocity, start } of this.#moving) {
      velocity.dispose();
      start?.dispose();
    }
  }
}
