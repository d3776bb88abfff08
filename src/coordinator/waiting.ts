/** What a run waits for now, in words for the operator. */

import type { RunState } from "./round.ts";

/** Undefined when it waits for nobody. */
export function waitingFor({ phase, members, open, plan }: RunState): string | undefined {
  const present = [...members.values()].filter((member) => member.present);
  switch (phase) {
    case "gathering": {
      const missing = plan.minClients - present.length;
      if (present.length === 0) return `${clients(plan.minClients)}; none is here`;
      return missing > 0 ? `${clients(missing)} more` : "a client that has not converged";
    }
    case "training": {
      const all = [...open?.assignments.values() ?? []];
      const count = all.filter((each) => each.state === "open").length;
      return `the updates of ${count} of ${all.length} clients, or the round's deadline`;
    }
    case "finishing":
      return present.length === 0 ? undefined : `${clients(present.length)} to confirm the model`;
    default:
      return undefined;
  }
}

function clients(count: number): string {
  return `${count} ${count === 1 ? "client" : "clients"}`;
}
