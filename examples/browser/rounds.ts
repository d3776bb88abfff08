/** What a page knows of each round: from its own client, and from the server's status. */

/** Loss and accuracy of a model. */
export interface Measured {
  readonly loss?: number | undefined;
  readonly accuracy?: number | undefined;
}

export interface Round {
  readonly round: number;
  /** The verdict on this client's update, in a word. */
  update: string;
  /** Not taken. */
  refused: boolean;
  /** This client's weights on its own samples. */
  own: Measured;
  /** The global model on the server's test data. */
  everybody: Measured;
  clients: number | undefined;
}

/** The part of `/status` that is shown here. */
export interface Status {
  readonly name: string;
  readonly rounds: number;
  readonly history: readonly (Measured & { readonly round: number; readonly clients: number })[];
}

export class Rounds {
  readonly #rounds = new Map<number, Round>();

  get(round: number): Round {
    const known = this.#rounds.get(round);
    if (known !== undefined) return known;
    const made: Round = {
      round,
      update: "",
      refused: false,
      own: {},
      everybody: {},
      clients: undefined,
    };
    this.#rounds.set(round, made);
    return made;
  }

  /** Takes over what the server says of the rounds that this client knows. */
  learn(history: Status["history"]): void {
    for (const { round, clients, loss, accuracy } of history) {
      const known = this.#rounds.get(round);
      if (known === undefined) continue;
      known.clients = clients;
      known.everybody = { loss, accuracy };
    }
  }

  /** The newest first. */
  all(): Round[] {
    return [...this.#rounds.values()].sort((left, right) => right.round - left.round);
  }
}
