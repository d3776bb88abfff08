/** What `/status` answers: the run, as its server sees it now. */

import * as z from "zod";

const clientStatus = z.object({
  id: z.string(),
  /** The wires it has routes on. */
  wires: z.array(z.string()),
  samples: z.number(),
  last_seen_ms_ago: z.number(),
  /** What it does now, in a word: idle, training, uploading, converged, gone. */
  state: z.string(),
});

const wireStatus = z.object({
  wire: z.string(),
  /** Where clients join; empty where there is none. */
  url: z.string(),
  state: z.enum(["up", "down", "restarting", "off"]),
  /** Why it is not up. */
  reason: z.string().optional(),
  up_bytes: z.number(),
  down_bytes: z.number(),
  connections: z.number(),
});

const roundStatus = z.object({
  round: z.number(),
  /** Clients whose updates count, and their samples. */
  clients: z.number(),
  samples: z.number(),
  /** Of the global model. */
  loss: z.number().optional(),
  accuracy: z.number().optional(),
  seconds: z.number(),
  /** Empty while it is being computed. */
  model_sha256: z.string(),
});

export const status = z.object({
  run_id: z.string(),
  name: z.string(),
  phase: z.enum([
    "starting",
    "gathering",
    "training",
    "closing",
    "finishing",
    "finished",
    "draining",
  ]),
  /** Rounds closed so far. */
  round: z.number(),
  rounds: z.number(),
  /** What the run waits for now, in words. */
  waiting_for: z.string().optional(),
  clients: z.array(clientStatus),
  wires: z.array(wireStatus),
  /** The newest rounds, oldest first. */
  history: z.array(roundStatus),
});

export type Status = z.output<typeof status>;
export type WireStatus = z.output<typeof wireStatus>;

/** Why clients cannot be served now; undefined when they can. */
export function unreadiness({ phase, wires }: Status): string | undefined {
  if (phase === "starting") return "the server is starting";
  if (phase === "finished") return "the run has finished";
  if (phase === "draining") return "the server is going away";
  const down = wires.filter(({ state }) => state === "down" || state === "restarting");
  if (wires.some(({ state }) => state === "up")) return undefined;
  return down.length === 0
    ? "no wire is up"
    : `no wire is up: ${down.map(({ wire, reason }) => `${wire}: ${reason ?? "down"}`).join("; ")}`;
}
