/** What a ledger holds, read: runs, rounds, accepted updates, sessions. */

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";

export type Metrics = Readonly<Record<string, number>>;

export interface RunRow {
  readonly runId: string;
  readonly name: string;
  /** Why the run is over, and every client had its time. */
  readonly finished: string | undefined;
  readonly nextTaskId: number;
}

/** A client's share of a round, fixed at selection. */
export interface Assigned {
  readonly client: string;
  readonly taskId: number;
  /** Declared samples. */
  readonly samples: number;
}

/** `open`: updates come in; `closing`: decided, the model is being made or saved; `closed`: saved. */
export type RoundStage = "open" | "closing" | "closed";

export interface RoundRow {
  readonly round: number;
  readonly stage: RoundStage;
  readonly assigned: readonly Assigned[];
}

export interface UpdateRow {
  readonly client: string;
  readonly taskId: number;
  readonly kind: "weights" | "delta";
  readonly samples: number;
  readonly metrics: Metrics;
  /** File name within the state directory. */
  readonly file: string;
  /** Of the file; undefined where an older server wrote it. */
  readonly checksum: number | undefined;
}

/** A closed round, as the history tells it. */
export interface RoundRecord {
  readonly round: number;
  /** Counted clients, sorted. */
  readonly clients: readonly string[];
  readonly samples: number;
  /** The clients' training metrics, weighted by samples. */
  readonly training: Metrics;
  /** Of the global model: central, or the clients' own weighted by samples. Empty until known. */
  readonly evaluation: Metrics;
  readonly sha256: string;
  readonly seconds: number;
}

/** A client's session, as it outlives the process. */
export interface SessionRow {
  readonly client: string;
  readonly session: Uint8Array<ArrayBuffer>;
  readonly nonce: Uint8Array<ArrayBuffer>;
  readonly samples: number;
  readonly software: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The wire that tasks and models go to; undefined: the newest route. */
  readonly downlinkWire: string | undefined;
  /** It had neither left nor fallen silent. */
  readonly present: boolean;
  readonly converged: boolean;
}

/** Why a run ends: a word for programs and a sentence for people. */
export interface Ending {
  readonly code: string;
  readonly sentence: string;
}

/** A client's newest update that counts, or counted. */
export interface Counted {
  readonly client: string;
  readonly round: number;
  readonly taskId: number;
}

export class Records {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  run(): RunRow | undefined {
    const row = this.#database.prepare("SELECT * FROM run").get();
    if (row === undefined) return undefined;
    return {
      runId: text(row.run_id),
      name: text(row.name),
      finished: row.finished === null ? undefined : text(row.finished),
      nextTaskId: Number(row.next_task_id),
    };
  }

  /** Why the run ends, from when its final model is saved. */
  ending(): Ending | undefined {
    const row = this.#database.prepare("SELECT code, sentence FROM ending").get();
    return row === undefined ? undefined : { code: text(row.code), sentence: text(row.sentence) };
  }

  /** Clients that confirmed to hold the final model, sorted. */
  confirmed(): string[] {
    return this.#database.prepare("SELECT client FROM confirmed ORDER BY client").all()
      .map((row) => text(row.client));
  }

  /** Rounds that were begun and whose model is not saved, oldest first. */
  unsaved(): RoundRow[] {
    return this.#database.prepare(
      "SELECT round, stage, assigned FROM rounds WHERE stage <> 'closed' ORDER BY round",
    ).all().map((row) => ({
      round: Number(row.round),
      stage: text(row.stage) as RoundStage,
      assigned: JSON.parse(text(row.assigned)),
    }));
  }

  history(): RoundRecord[] {
    return this.#database.prepare("SELECT record FROM rounds WHERE stage = 'closed' ORDER BY round")
      .all().map((row) => JSON.parse(text(row.record)));
  }

  /** The newest closed round's record, or that of `round`. */
  record(round?: number): RoundRecord | undefined {
    const row = round === undefined
      ? this.#database.prepare(
        "SELECT record FROM rounds WHERE stage = 'closed' ORDER BY round DESC LIMIT 1",
      ).get()
      : this.#database.prepare("SELECT record FROM rounds WHERE stage = 'closed' AND round = ?")
        .get(round);
    return row === undefined ? undefined : JSON.parse(text(row.record));
  }

  updates(round: number): UpdateRow[] {
    return this.#database.prepare("SELECT * FROM updates WHERE round = ? ORDER BY client")
      .all(round).map((row) => ({
        client: text(row.client),
        taskId: Number(row.task_id),
        kind: text(row.kind) === "delta" ? "delta" : "weights",
        samples: Number(row.samples),
        metrics: JSON.parse(text(row.metrics)),
        file: text(row.file),
        checksum: typeof row.checksum === "number" ? row.checksum : undefined,
      }));
  }

  /** Of every client the newest accepted update. */
  counted(): Counted[] {
    return this.#database.prepare(
      "SELECT client, round, max(task_id) AS task_id FROM updates GROUP BY client ORDER BY client",
    ).all().map((row) => ({
      client: text(row.client),
      round: Number(row.round),
      taskId: Number(row.task_id),
    }));
  }

  sessions(): SessionRow[] {
    return this.#database.prepare("SELECT * FROM sessions ORDER BY client").all().map((row) => ({
      client: text(row.client),
      session: bytes(row.session),
      nonce: bytes(row.nonce),
      samples: Number(row.samples),
      software: text(row.software),
      labels: JSON.parse(text(row.labels)),
      downlinkWire: row.downlink === null ? undefined : text(row.downlink),
      present: row.present === 1,
      converged: row.converged === 1,
    }));
  }
}

function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw new TypeError("Ledger: expected a text column");
  return value;
}

function bytes(value: SQLOutputValue | undefined): Uint8Array<ArrayBuffer> {
  if (!(value instanceof Uint8Array)) throw new TypeError("Ledger: expected a column of bytes");
  return value.slice();
}
