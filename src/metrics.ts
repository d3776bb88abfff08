/** What Prometheus can read about this process: each metric's name, labels and help in one place. */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Traffic, WireName } from "./contract/protocol_server.ts";

/** One wire's bytes and connections now. */
export interface WireTraffic extends Traffic {
  readonly wire: WireName;
}

/** Asked whenever the metrics are read. */
export type TrafficSource = () => Promise<readonly WireTraffic[]>;

/** Every metric, in a registry of its own. Only events write them; what is measured is read when asked. */
export class Metrics {
  readonly #registry = new Registry();
  #traffic: TrafficSource | undefined;

  readonly runInfo = this.#gauge("run_info", "1 for the run that is served", ["name", "run_id"]);
  readonly runsStopped = this.#counter("runs_stopped_total", "Runs that ended", ["reason"]);
  readonly gatherings = this.#counter("gatherings_total", "Waits for enough clients", []);
  readonly desertions = this.#counter("desertions_total", "Times that every client was gone", []);

  readonly clients = this.#gauge("clients", "Clients in the roster", []);
  readonly clientsJoined = this.#counter("clients_joined_total", "Clients that joined", ["wire"]);
  readonly clientsLeft = this.#counter("clients_left_total", "Clients that left", ["reason"]);
  readonly clientsRevoked = this.#gauge("clients_revoked", "Clients with revoked tokens", []);
  readonly clientsReplaced = this.#counter(
    "clients_replaced_total",
    "Sessions ended by a newer Hello of the same client",
    ["wire"],
  );
  readonly routes = this.#gauge("routes", "Routes by which clients can be reached", ["wire"]);
  readonly routesDetached = this.#counter("routes_detached_total", "Routes that ended", ["wire"]);

  readonly round = this.#gauge("round", "Rounds closed, and so the round of the model", []);
  readonly roundsWanted = this.#gauge("rounds_wanted", "Rounds after which the run ends", []);
  readonly roundsStarted = this.#counter("rounds_started_total", "Rounds started", []);
  readonly roundsClosed = this.#counter("rounds_closed_total", "Rounds closed", ["cause"]);
  readonly roundSeconds = this.#histogram("round_seconds", "From a round's start to its close");

  readonly updates = this.#counter(
    "updates_total",
    "Updates by the verdict on them",
    ["wire", "verdict"],
  );
  readonly updateBytes = this.#counter("update_bytes_total", "Length of accepted updates", [
    "wire",
  ]);
  readonly messagesRefused = this.#counter(
    "messages_refused_total",
    "Messages that were no updates and were refused, by verdict",
    ["wire", "verdict"],
  );

  readonly evaluations = this.#counter("evaluations_total", "Evaluations of a model", ["by"]);
  readonly modelLoss = this.#gauge("model_loss", "Loss of the newest evaluated model", ["by"]);
  readonly modelAccuracy = this.#gauge("model_accuracy", "Its accuracy, 0 to 1", ["by"]);
  readonly modelBytes = this.#gauge("model_bytes", "Length of the newest saved model", []);
  readonly modelsSaved = this.#counter("models_saved_total", "Models written to disk", []);
  readonly modelSaveSeconds = this.#histogram("model_save_seconds", "Hashing and writing a model");
  readonly modelsConfirmed = this.#counter(
    "models_confirmed_total",
    "Clients that confirmed to hold the final model",
    ["wire"],
  );
  readonly vaultFailures = this.#counter("vault_failures_total", "Failures of the vault", []);
  readonly serverFailures = this.#counter("server_failures_total", "Failures of the server", []);
  readonly restores = this.#counter("restores_total", "Runs restored from their state", []);
  readonly statesFull = this.#counter("state_full_total", "Updates put off for want of room", []);
  readonly updatesLost = this.#counter(
    "updates_lost_total",
    "Accepted updates whose files were damaged or missing at start",
    [],
  );
  readonly filesSwept = this.#counter("files_swept_total", "Unfinished files removed at start", []);

  readonly certificateExpires = this.#gauge(
    "certificate_expires_timestamp_seconds",
    "When a certificate of the server's expires, in seconds since 1970",
    ["certificate"],
  );
  readonly wireUp = this.#gauge("wire_up", "1 while clients can reach the wire", ["wire"]);
  readonly wireFailures = this.#counter("wire_failures_total", "Protocol servers lost", ["wire"]);
  readonly wireRestarts = this.#counter("wire_restarts_total", "Restarts tried", ["wire"]);
  readonly connectionsOpened = this.#counter("connections_opened_total", "Connections accepted", [
    "wire",
  ]);
  readonly connectionsClosed = this.#counter("connections_closed_total", "Connections ended", [
    "wire",
  ]);
  readonly peersRefused = this.#counter(
    "peers_refused_total",
    "Peers turned away with the protocol's own error",
    ["wire"],
  );
  readonly webUp = this.#gauge("web_up", "1 while the status page is served", []);

  readonly #wireBytes = this.#counter("wire_bytes_total", "Bytes on the wire", [
    "wire",
    "direction",
  ]);
  readonly #connections = this.#gauge("connections", "Connections now", ["wire"]);
  readonly #memory = this.#gauge("memory_bytes", "Resident memory of the process", []);

  /** Where the wires' traffic is read from; without it none is shown. */
  watchTraffic(source: TrafficSource): void {
    this.#traffic = source;
  }

  /** All metrics in Prometheus' text format, version 0.0.4. */
  async text(): Promise<string> {
    const traffic = await this.#traffic?.() ?? [];
    this.#wireBytes.reset();
    this.#connections.reset();
    for (const { wire, up, down, connections } of traffic) {
      this.#wireBytes.inc({ wire, direction: "up" }, up);
      this.#wireBytes.inc({ wire, direction: "down" }, down);
      this.#connections.set({ wire }, connections);
    }
    this.#memory.set(Deno.memoryUsage().rss);
    return await this.#registry.metrics();
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]) {
    return new Counter({
      name: `tributary_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
    });
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[]) {
    return new Gauge({ name: `tributary_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string) {
    return new Histogram({
      name: `tributary_${name}`,
      help,
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600],
      registers: [this.#registry],
    });
  }
}
