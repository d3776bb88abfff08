/** A server that kills itself at a call of the vault: `killed_server.ts '{"state": …, "port": …}'`. */

import { Federation, weights } from "../support/federation.ts";
import { mqtt } from "../support/mqtt.ts";
import type { VaultCalls } from "../../src/vault/calls.ts";

/** Where in a run the process ends. */
export interface Killing {
  readonly call: keyof VaultCalls;
  /** The vault is not asked any more, or has answered and nobody has heard so yet. */
  readonly when: "asked" | "done";
  /** So many calls; of `part` those with this outcome are counted. */
  readonly count: number;
  readonly outcome?: string;
}

export interface KilledServerSpec {
  readonly state: string;
  readonly port: number;
  readonly clients: number;
  readonly rounds: number;
  readonly parameters: number;
  readonly killing: Killing | undefined;
  /** Lets time pass a minute in three seconds: for a run that waits for who does not come back. */
  readonly hasty: boolean;
}

function end(): Promise<never> {
  Deno.kill(Deno.pid, "SIGKILL");
  return new Promise(() => {});
}

/** The vault's calls, of which one is the last. */
function killedAt(calls: VaultCalls, { call, when, count, outcome }: Killing): VaultCalls {
  let left = count;
  const last = calls[call] as (...args: unknown[]) => Promise<unknown>;
  const act = async (...args: unknown[]) => {
    if (when === "asked" && --left === 0) await end();
    const result = await last(...args);
    const counts = outcome === undefined || (result as { kind: string }).kind === outcome;
    if (when === "done" && counts && --left === 0) await end();
    return result;
  };
  return { ...calls, [call]: act };
}

if (import.meta.main) {
  const spec: KilledServerSpec = JSON.parse(Deno.args[0] ?? "");
  const { state, port, clients, rounds, parameters, killing, hasty } = spec;
  await using federation = await Federation.open({
    subjects: [{ ...mqtt, own: () => mqtt.own(port) }],
    placement: "in process",
    state,
    plan: { minClients: clients, rounds },
    evaluateFraction: 1,
    model: weights(Array.from({ length: parameters }, () => 0)),
    ...(killing === undefined ? {} : { vault: (calls) => killedAt(calls, killing) }),
  });
  // deno-lint-ignore no-console -- what the test reads
  const say = (line: object) => console.log(JSON.stringify(line));
  say({ url: federation.url(), runId: federation.coordinator.runId });
  const timer = hasty ? setInterval(() => federation.clock.pass(1000), 50) : undefined;
  say(await federation.coordinator.finished);
  clearInterval(timer);
}
