/** A run as simple as it can be told: sets of clients, and what each event does to them. */

import type { OpenRound, Plan, RunEvent } from "../../src/coordinator/round.ts";

export class Reference {
  readonly #plan: Plan;
  phase: "gathering" | "training" | "closing" | "finishing" | "finished" = "gathering";
  readonly present = new Set<string>();
  readonly converged = new Set<string>();
  /** Of the open round: everybody's task, and who is counted. */
  tasks = new Map<string, number>();
  counted = new Set<string>();
  /** Of those with a task: nobody waits for them. */
  given = new Set<string>();
  closedRounds = 0;
  /** Who is in the model of each closed round. */
  readonly members: string[][] = [];
  #stopped = false;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** A round has begun, with whom the machine has chosen. */
  begin(open: OpenRound): void {
    this.phase = "training";
    this.tasks = new Map([...open.assignments].map(([client, { taskId }]) => [client, taskId]));
    this.counted.clear();
    this.given.clear();
  }

  see(event: RunEvent): void {
    switch (event.kind) {
      case "joined":
        this.present.add(event.client);
        if (!this.converged.has(event.client)) this.given.delete(event.client);
        break;
      case "left":
        if (!this.present.delete(event.client)) return;
        this.given.add(event.client);
        break;
      case "converged":
        if (!this.#knows(event.client) || this.converged.has(event.client)) return;
        this.converged.add(event.client);
        this.given.add(event.client);
        if (this.#enoughConverged()) return this.#stop();
        break;
      case "answered":
        // The vault had it before it was told to close: it is in the model.
        if (this.phase !== "training" && this.phase !== "closing") return;
        if (this.tasks.get(event.client) !== event.taskId) return;
        this.counted.add(event.client);
        break;
      case "graceOver":
        if (this.#trains(event.round) && this.counted.size > 0) this.phase = "closing";
        return;
      case "deadline":
        if (this.#trains(event.round)) this.#decide();
        return;
      case "closed":
        if (this.phase !== "closing" || event.round !== this.closedRounds + 1) return;
        this.members.push([...this.counted].sort());
        this.closedRounds++;
        this.phase = this.#stopped || this.closedRounds >= this.#plan.rounds
          ? "finishing"
          : "gathering";
        break;
      case "stop":
        return this.#stop();
      case "finished":
        if (this.phase === "finishing") this.phase = "finished";
        return;
      default:
        event satisfies never;
    }
    if (this.phase === "training" && this.#awaited().length === 0) this.#decide();
    if (this.phase === "gathering" && this.#enoughConverged()) this.phase = "finishing";
  }

  /** Whether a round can begin with who is here. */
  get ready(): boolean {
    const able = [...this.present].filter((client) => !this.converged.has(client));
    return able.length > 0 && this.present.size >= this.#plan.minClients;
  }

  #awaited(): string[] {
    return [...this.tasks.keys()].filter((each) =>
      !this.counted.has(each) && !this.given.has(each)
    );
  }

  /** With an answer the round closes, without one it was in vain. */
  #decide(): void {
    this.phase = this.counted.size > 0 ? "closing" : "gathering";
    if (this.phase === "gathering" && this.#enoughConverged()) this.phase = "finishing";
  }

  #trains(round: number): boolean {
    return this.phase === "training" && round === this.closedRounds + 1;
  }

  #stop(): void {
    if (this.phase === "closing") this.#stopped = true;
    else if (this.phase !== "finished") this.phase = "finishing";
  }

  #knows(client: string): boolean {
    return this.present.has(client) || this.converged.has(client);
  }

  #enoughConverged(): boolean {
    const known = new Set([...this.present, ...this.converged]).size;
    const { convergedFraction } = this.#plan;
    return this.converged.size > 0 && this.converged.size >= convergedFraction * known - 1e-9;
  }
}
