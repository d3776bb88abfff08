/** The clients' own evaluation of one global model: a sample of them, a deadline, never a stall. */

export interface EvaluationAnswer {
  readonly samples: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Train tasks have even ids, evaluate tasks odd ones: one per round, the same for every client. */
export function evaluationTaskId(round: number): number {
  return 2 * round + 1;
}

export class Evaluation {
  readonly round: number;
  readonly taskId: number;
  readonly #awaited: Set<string>;
  readonly #answers = new Map<string, EvaluationAnswer>();

  constructor(round: number, clients: Iterable<string>) {
    this.round = round;
    this.taskId = evaluationTaskId(round);
    this.#awaited = new Set(clients);
  }

  /** Those who have not answered. */
  get awaited(): ReadonlySet<string> {
    return this.#awaited;
  }

  get complete(): boolean {
    return this.#awaited.size === 0;
  }

  /** `duplicate` for a second answer, `stranger` for a client that was not asked. */
  answer(client: string, answer: EvaluationAnswer): "taken" | "duplicate" | "stranger" {
    if (this.#answers.has(client)) return "duplicate";
    if (!this.#awaited.delete(client)) return "stranger";
    this.#answers.set(client, answer);
    return "taken";
  }

  /** The client left: nobody waits for it. */
  lose(client: string): void {
    this.#awaited.delete(client);
  }

  /** How many have answered. */
  get answers(): number {
    return this.#answers.size;
  }

  /** Each metric's mean weighted by samples, and all samples. Order plays no part. */
  mean(): EvaluationAnswer {
    const sums = new Map<string, { total: number; samples: number }>();
    let all = 0;
    for (const [, { samples, metrics }] of [...this.#answers].sort(byClient)) {
      all += samples;
      for (const [name, value] of Object.entries(metrics)) {
        const sum = sums.get(name) ?? { total: 0, samples: 0 };
        sums.set(name, { total: sum.total + value * samples, samples: sum.samples + samples });
      }
    }
    const means = [...sums].map(([name, sum]) => [name, sum.total / sum.samples]);
    return { samples: all, metrics: Object.fromEntries(means) };
  }
}

function byClient([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1;
}
