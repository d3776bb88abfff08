/**
 * Everything that can be observed, in one table: an event writes its log line and bumps its metrics,
 * so that the two never disagree. What happens for each message is logged at debug.
 */

import { snake } from "./config/fields.ts";
import { Verdict } from "./contract/federation_pb.ts";
import type { WireEvent, WireName } from "./contract/protocol_server.ts";
import type { Fields, Level, Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** Why a run ends. */
export type StopReason = "rounds" | "target" | "plateau" | "converged" | "shutdown" | "failed";
/** Why a round closes. */
export type CloseCause = "complete" | "quorum" | "deadline";
/** Why a client leaves the roster. */
export type LeaveCause =
  | "done"
  | "converged"
  | "shutting_down"
  | "lost"
  | "silent"
  | "dropped"
  | "expired"
  | "revoked";
/** How long a certificate of the server's still holds. */
export interface CertificateState {
  readonly certificate: "tls" | "quic";
  readonly standing: "good" | "soon" | "expired";
  /** A time as ISO 8601 has it. */
  readonly expires: string;
  readonly todo?: string;
}
/** Who evaluated a model. */
export type Evaluator = "server" | "clients";

/** Refusals that a healthy client meets now and then: repetitions, races, full rooms. */
const USUAL: ReadonlySet<Verdict> = new Set([
  Verdict.HELD,
  Verdict.GAP,
  Verdict.DUPLICATE,
  Verdict.STALE,
  Verdict.EARLY,
  Verdict.BUSY,
  Verdict.OTHER_RUN,
  Verdict.NO_SESSION,
  Verdict.FINISHED,
]);

/** A row of the table: with a log and metrics it becomes a method of `Events`. */
type Row<Facts> = (log: Log, metrics: Metrics) => (facts: Facts) => void;

/** @param message Constant: what varies is in the facts, which are the line's fields. */
function row<Facts extends object>(
  level: Level | ((facts: Facts) => Level),
  message: string,
  count: (metrics: Metrics, facts: Facts) => void,
): Row<Facts> {
  return (log, metrics) => (facts) => {
    count(metrics, facts);
    log.write(typeof level === "function" ? level(facts) : level, message, fieldsOf(facts));
  };
}

function fieldsOf(facts: object): Fields {
  const entries = Object.entries(facts).map(([name, value]) => [
    snake(name),
    name === "verdict" ? verdictName(value as Verdict) : value,
  ]);
  return Object.fromEntries(entries);
}

interface Refusal {
  readonly client?: string | undefined;
  readonly wire: WireName;
  readonly verdict: Verdict;
  readonly detail: string;
}

function levelOfRefusal({ verdict }: Refusal): Level {
  return USUAL.has(verdict) ? "debug" : "warning";
}

/** A verdict as logs and metrics write it: `wrong_shape`. */
export function verdictName(verdict: Verdict): string {
  return (Verdict[verdict] ?? String(verdict)).toLowerCase();
}

const table = {
  runStarted: row<{ runId: string; name: string; round: number; rounds: number }>(
    "info",
    "run started",
    (metrics, { runId, name, round, rounds }) => {
      metrics.runInfo.set({ run_id: runId, name }, 1);
      metrics.round.set(round);
      metrics.roundsWanted.set(rounds);
    },
  ),
  /** `clients` have a session and are awaited back. */
  runRestored: row<{ runId: string; round: number; updates: number; clients: number }>(
    "info",
    "run restored from its state",
    (metrics, { clients }) => {
      metrics.restores.inc();
      metrics.clients.set(clients);
    },
  ),
  stateSwept: row<{ files: number; bytes: number }>(
    "info",
    "unfinished files of an earlier process removed",
    (metrics, { files }) => metrics.filesSwept.inc(files),
  ),
  /** Accepted before, and damaged or missing since, as a power cut leaves it: the client is asked again. */
  updateLost: row<{ client: string; round: number; file: string; reason: string }>(
    "error",
    "accepted update lost, its client is asked again",
    (metrics) => metrics.updatesLost.inc(),
  ),
  runStopped: row<
    { reason: StopReason; round: number; detail?: string | undefined; seconds?: number | undefined }
  >(
    ({ reason }) => reason === "failed" ? "error" : "info",
    "run stopped",
    (metrics, { reason }) => metrics.runsStopped.inc({ reason }),
  ),
  gathering: row<{ clients: number; wanted: number }>(
    "info",
    "waiting for clients",
    (metrics) => metrics.gatherings.inc(),
  ),
  /** Nobody is left to train; the run goes on when clients are back. */
  deserted: row<{ phase: string; round: number }>(
    ({ phase }) => phase === "finishing" || phase === "finished" ? "debug" : "warning",
    "every client is gone",
    (metrics) => metrics.desertions.inc(),
  ),

  clientJoined: row<{ client: string; wire: WireName; samples: number; software: string }>(
    "info",
    "client joined",
    (metrics, { wire }) => {
      metrics.clientsJoined.inc({ wire });
      metrics.clients.inc();
    },
  ),
  /** As many clients have tokens that were taken back. */
  tokensRevoked: row<{ clients: number }>(
    "info",
    "tokens revoked",
    (metrics, { clients }) => metrics.clientsRevoked.set(clients),
  ),
  clientReplaced: row<{ client: string; wire: WireName; by: WireName }>(
    "info",
    "client replaced by a newer session",
    (metrics, { wire }) => metrics.clientsReplaced.inc({ wire }),
  ),
  clientLeft: row<{ client: string; reason: LeaveCause; detail?: string | undefined }>(
    "info",
    "client left",
    (metrics, { reason }) => {
      metrics.clientsLeft.inc({ reason });
      metrics.clients.dec();
    },
  ),
  routeAttached: row<{ client: string; wire: WireName }>(
    "debug",
    "route attached",
    (metrics, { wire }) => metrics.routes.inc({ wire }),
  ),
  routeDetached: row<{ client: string; wire: WireName; reason: string }>(
    "debug",
    "route detached",
    (metrics, { wire }) => {
      metrics.routes.dec({ wire });
      metrics.routesDetached.inc({ wire });
    },
  ),

  roundStarted: row<{ round: number; clients: number }>(
    "info",
    "round started",
    (metrics) => metrics.roundsStarted.inc(),
  ),
  roundClosed: row<
    {
      round: number;
      cause: CloseCause;
      /** Whose updates count, of those who were selected. */
      clients: number;
      selected: number;
      samples: number;
      seconds: number;
    }
  >("info", "round closed", (metrics, { round, cause, seconds }) => {
    metrics.round.set(round);
    metrics.roundsClosed.inc({ cause });
    metrics.roundSeconds.observe(seconds);
  }),
  updateAccepted: row<
    { client: string; wire: WireName; round: number; samples: number; bytes: number }
  >("debug", "update accepted", (metrics, { wire, bytes }) => {
    metrics.updates.inc({ wire, verdict: verdictName(Verdict.ACCEPTED) });
    metrics.updateBytes.inc({ wire }, bytes);
  }),
  updateRefused: row<Refusal & { round: number }>(
    levelOfRefusal,
    "update refused",
    (metrics, { wire, verdict }) => metrics.updates.inc({ wire, verdict: verdictName(verdict) }),
  ),
  messageRefused: row<Refusal>(
    levelOfRefusal,
    "message refused",
    (metrics, { wire, verdict }) =>
      metrics.messagesRefused.inc({ wire, verdict: verdictName(verdict) }),
  ),

  evaluated: row<
    {
      round: number;
      by: Evaluator;
      samples: number;
      clients?: number | undefined;
      loss?: number | undefined;
      accuracy?: number | undefined;
      seconds?: number | undefined;
    }
  >("info", "model evaluated", (metrics, { by, loss, accuracy }) => {
    metrics.evaluations.inc({ by });
    if (loss !== undefined) metrics.modelLoss.set({ by }, loss);
    if (accuracy !== undefined) metrics.modelAccuracy.set({ by }, accuracy);
  }),
  modelSaved: row<
    { round: number; sha256: string; bytes: number; seconds: number; path?: string | undefined }
  >(
    "info",
    "model saved",
    (metrics, { bytes, seconds }) => {
      metrics.modelsSaved.inc();
      metrics.modelBytes.set(bytes);
      metrics.modelSaveSeconds.observe(seconds);
    },
  ),
  modelConfirmed: row<{ client: string; wire: WireName; sha256: string }>(
    "info",
    "client holds the final model",
    (metrics, { wire }) => metrics.modelsConfirmed.inc({ wire }),
  ),
  stateFull: row<{ round: number; detail: string }>(
    "warning",
    "no room for an update in the state directory",
    (metrics) => metrics.statesFull.inc(),
  ),
  vaultFailed: row<{ reason: string }>(
    "error",
    "vault failed",
    (metrics) => metrics.vaultFailures.inc(),
  ),

  /** What should never happen, and harmed nothing but one message. */
  serverFailed: row<{ what: string; reason: string }>(
    "error",
    "server failed",
    (metrics) => metrics.serverFailures.inc(),
  ),

  certificateSeen: row<CertificateState>(
    ({ standing }) => standing === "good" ? "debug" : standing === "soon" ? "warning" : "error",
    "certificate",
    (metrics, { certificate, expires }) =>
      metrics.certificateExpires.set({ certificate }, Date.parse(expires) / 1000),
  ),

  wireUp: row<{ wire: WireName; url: string }>(
    "info",
    "wire up",
    (metrics, { wire }) => metrics.wireUp.set({ wire }, 1),
  ),
  wireOff: row<{ wire: WireName; reason: string }>(
    "warning",
    "wire off",
    (metrics, { wire }) => metrics.wireUp.set({ wire }, 0),
  ),
  wireDown: row<{ wire: WireName; reason: string }>(
    "error",
    "wire down",
    (metrics, { wire }) => {
      metrics.wireUp.set({ wire }, 0);
      metrics.wireFailures.inc({ wire });
    },
  ),
  wireRestarting: row<{ wire: WireName; attempt: number; delayMs: number }>(
    "warning",
    "wire restarting",
    (metrics, { wire }) => metrics.wireRestarts.inc({ wire }),
  ),
  peerConnected: row<{ wire: WireName; remote: string }>(
    "debug",
    "peer connected",
    (metrics, { wire }) => metrics.connectionsOpened.inc({ wire }),
  ),
  peerDisconnected: row<{ wire: WireName; remote: string; reason: string }>(
    "debug",
    "peer disconnected",
    (metrics, { wire }) => metrics.connectionsClosed.inc({ wire }),
  ),
  peerRefused: row<{ wire: WireName; remote: string; reason: string }>(
    "warning",
    "peer refused",
    (metrics, { wire }) => metrics.peersRefused.inc({ wire }),
  ),

  webUp: row<{ url: string }>("info", "status page up", (metrics) => metrics.webUp.set(1)),
  webDown: row<{ reason: string }>("error", "status page down", (metrics) => metrics.webUp.set(0)),
};

/** `events.roundClosed({ ... })`: one method for each row of the table. */
export type Events = { readonly [Name in keyof typeof table]: ReturnType<(typeof table)[Name]> };

/** The events that write to one log and one set of metrics. */
export function openEvents(log: Log, metrics: Metrics): Events {
  const methods = Object.entries(table).map(([name, row]) => [name, row(log, metrics)]);
  return Object.fromEntries(methods);
}

/** Passes on what a protocol server tells the operator. */
export function observeWire(events: Events, wire: WireName, event: WireEvent): void {
  switch (event.kind) {
    case "connected":
      return events.peerConnected({ wire, remote: event.remote });
    case "disconnected":
      return events.peerDisconnected({ wire, remote: event.remote, reason: event.reason });
    case "refused":
      return events.peerRefused({ wire, remote: event.remote, reason: event.reason });
    default:
      event satisfies never;
  }
}
