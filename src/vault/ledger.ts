/** What a run remembers: a SQLite database (WAL) of runs, rounds and accepted updates. */

import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import type { Durability } from "./durability.ts";

export type Metrics = Readonly<Record<string, number>>;

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

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS run (
    run_id TEXT PRIMARY KEY, name TEXT NOT NULL, finished TEXT, next_task_id INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS rounds (
    round INTEGER PRIMARY KEY, stage TEXT NOT NULL, assigned TEXT NOT NULL, record TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS updates (
    round INTEGER NOT NULL, client TEXT NOT NULL, task_id INTEGER NOT NULL, kind TEXT NOT NULL,
    samples INTEGER NOT NULL, metrics TEXT NOT NULL, file TEXT NOT NULL,
    PRIMARY KEY (round, client)
  ) STRICT;
`;

/**
 * In WAL mode NORMAL leaves a commit to the operating system, which survives the process; FULL syncs
 * each one (https://www.sqlite.org/pragma.html#pragma_synchronous).
 */
const SYNCHRONOUS = { process: "NORMAL", power: "FULL", none: "OFF" } as const;
/** Who reads beside the server holds it up for moments only. */
const BUSY_TIMEOUT_MS = 5000;
/** What is left of the write-ahead log after it was copied into the database. */
const JOURNAL_BYTES = 4 * 1024 * 1024;

export class Ledger implements Disposable {
  readonly #database: DatabaseSync;
  readonly #durability: Durability;

  /** @param path A file, or ":memory:". */
  constructor(path: string, durability: Durability) {
    this.#durability = durability;
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      this.#database.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA journal_size_limit = ${JOURNAL_BYTES};
        PRAGMA synchronous = ${SYNCHRONOUS[durability]};
      `);
      this.#database.exec(SCHEMA);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  run():
    | { runId: string; name: string; finished: string | undefined; nextTaskId: number }
    | undefined {
    const row = this.#database.prepare("SELECT * FROM run").get();
    if (row === undefined) return undefined;
    return {
      runId: text(row.run_id),
      name: text(row.name),
      finished: row.finished === null ? undefined : text(row.finished),
      nextTaskId: Number(row.next_task_id),
    };
  }

  startRun(runId: string, name: string): void {
    this.#database.prepare("INSERT INTO run VALUES (?, ?, NULL, 1)").run(runId, name);
  }

  finishRun(reason: string): void {
    this.#database.prepare("UPDATE run SET finished = ?").run(reason);
  }

  /** An abandoned attempt at the same round is forgotten. */
  begin(round: number, assigned: readonly Assigned[]): void {
    const nextTaskId = Math.max(0, ...assigned.map((each) => each.taskId)) + 1;
    this.#atomic(() => {
      this.#database.prepare("DELETE FROM updates WHERE round = ?").run(round);
      this.#database.prepare("INSERT OR REPLACE INTO rounds VALUES (?, 'open', ?, NULL)")
        .run(round, JSON.stringify(assigned));
      this.#database.prepare("UPDATE run SET next_task_id = max(next_task_id, ?)").run(nextTaskId);
    });
  }

  abandon(round: number): void {
    this.#atomic(() => {
      this.#database.prepare("DELETE FROM updates WHERE round = ?").run(round);
      this.#database.prepare("DELETE FROM rounds WHERE round = ? AND stage = 'open'").run(round);
    });
  }

  closing(round: number): void {
    this.#database.prepare("UPDATE rounds SET stage = 'closing' WHERE round = ?").run(round);
  }

  /** Its updates' files are removed next: that it is closed is synced before, with all before it. */
  closed(record: RoundRecord): void {
    const synced = this.#durability === "process";
    if (synced) this.#database.exec("PRAGMA synchronous = FULL");
    try {
      this.#database.prepare("UPDATE rounds SET stage = 'closed', record = ? WHERE round = ?")
        .run(JSON.stringify(record), record.round);
    } finally {
      if (synced) this.#database.exec(`PRAGMA synchronous = ${SYNCHRONOUS.process}`);
    }
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

  accept(round: number, update: UpdateRow): void {
    const { client, taskId, kind, samples, metrics, file } = update;
    this.#database.prepare("INSERT INTO updates VALUES (?, ?, ?, ?, ?, ?, ?)")
      .run(round, client, taskId, kind, samples, JSON.stringify(metrics), file);
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
      }));
  }

  /** All or nothing, whenever the process dies. */
  #atomic(change: () => void): void {
    this.#database.exec("BEGIN");
    try {
      change();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw new TypeError("Ledger: expected a text column");
  return value;
}
