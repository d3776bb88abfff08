/** The run as /status shows it. */

import type { Config } from "../config.ts";
import type { Certificate } from "../contract/tls.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import type { Supervisor } from "../coordinator/supervisor.ts";
import type { Status, WireStatus } from "../web/status.ts";
import { advertised } from "./advertised.ts";

export interface StatusParts {
  readonly config: Config;
  readonly coordinator: Coordinator;
  readonly supervisor: Supervisor;
  readonly missing: Readonly<Record<string, string>>;
  /** What clients must find at the addresses: the page at /join/ dials them. */
  readonly certificate: Certificate | undefined;
  /** The server is going away. */
  readonly draining: boolean;
}

const NEWEST_ROUNDS = 100;

export async function statusOf(parts: StatusParts): Promise<Status> {
  const { config, coordinator, supervisor, missing, certificate, draining } = parts;
  const traffic = await supervisor.traffic();
  const wires = supervisor.states().map(({ wire, state, urls, reason }): WireStatus => {
    const { up = 0, down = 0, connections = 0 } = traffic.get(wire) ?? {};
    return {
      wire,
      url: advertised(urls[0] ?? "", certificate),
      state: state === "up" || state === "restarting" ? state : "down",
      ...(reason === undefined ? {} : { reason }),
      up_bytes: up,
      down_bytes: down,
      connections,
    };
  });
  const off = Object.entries(missing).map(([wire, reason]): WireStatus => ({
    wire,
    url: "",
    state: "off",
    reason,
    up_bytes: 0,
    down_bytes: 0,
    connections: 0,
  }));
  return {
    run_id: coordinator.runId,
    name: config.name,
    phase: draining ? "draining" : coordinator.phase,
    round: coordinator.closedRounds,
    rounds: config.training.rounds,
    ...(coordinator.waitingFor === undefined ? {} : { waiting_for: coordinator.waitingFor }),
    clients: coordinator.clients().map(({ silentMs, ...client }) => ({
      ...client,
      last_seen_ms_ago: silentMs,
    })),
    wires: [...wires, ...off],
    history: coordinator.history.slice(-NEWEST_ROUNDS).map((record) => ({
      round: record.round,
      clients: record.clients.length,
      samples: record.samples,
      ...lossAndAccuracy(record.evaluation),
      seconds: record.seconds,
      model_sha256: record.sha256,
    })),
  };
}

function lossAndAccuracy({ loss, accuracy }: Readonly<Record<string, number>>) {
  return {
    ...(loss === undefined ? {} : { loss }),
    ...(accuracy === undefined ? {} : { accuracy }),
  };
}
