/** What a run remembers: a SQLite database (WAL) of the run, its rounds, accepted updates, sessions. */

import { DatabaseSync } from "node:sqlite";
import type { Durability } from "./durability.ts";
import {
  type Assigned,
  type Ending,
  Records,
  type RoundRecord,
  type SessionRow,
  type UpdateRow,
} from "./records.ts";

export type {
  Assigned,
  Ending,
  Metrics,
  RoundRecord,
  RoundRow,
  RoundStage,
  SessionRow,
  UpdateRow,
} from "./records.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS run (
    run_id TEXT PRIMARY KEY, name TEXT NOT NULL, finished TEXT, next_task_id INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS rounds (
    round INTEGER PRIMARY KEY, stage TEXT NOT NULL, assigned TEXT NOT NULL, record TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS updates (
    round INTEGER NOT NULL, client TEXT NOT NULL, task_id INTEGER NOT NULL, kind TEXT NOT NULL,
    samples INTEGER NOT NULL, metrics TEXT NOT NULL, file TEXT NOT NULL, checksum INTEGER,
    PRIMARY KEY (round, client)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS sessions (
    client TEXT PRIMARY KEY, session BLOB NOT NULL, nonce BLOB NOT NULL, samples INTEGER NOT NULL,
    software TEXT NOT NULL, labels TEXT NOT NULL, downlink TEXT, present INTEGER NOT NULL,
    converged INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS ending (
    only INTEGER PRIMARY KEY CHECK (only = 1), code TEXT NOT NULL, sentence TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS confirmed (client TEXT PRIMARY KEY) STRICT;
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

/** SQLite's name for a database without a file. */
export const IN_MEMORY = ":memory:";

/** Rounds of which each client's update is remembered, newest first: who repeats it is told so. */
const UPDATES_OF_ROUNDS = 100;

export class Ledger implements Disposable {
  readonly #database: DatabaseSync;
  readonly #durability: Durability;
  readonly records: Records;

  /** @param path A file, or `IN_MEMORY`. */
  constructor(path: string, durability: Durability) {
    this.#durability = durability;
    if (path !== IN_MEMORY) createPrivately(path);
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    this.records = new Records(this.#database);
    try {
      this.#database.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA journal_size_limit = ${JOURNAL_BYTES};
        PRAGMA synchronous = ${SYNCHRONOUS[durability]};
      `);
      this.#database.exec(SCHEMA);
      this.#addColumns();
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** Those that an older server's tables lack. */
  #addColumns(): void {
    const known = this.#database.prepare("SELECT name FROM pragma_table_info('updates')").all();
    if (known.some(({ name }) => name === "checksum")) return;
    this.#database.exec("ALTER TABLE updates ADD COLUMN checksum INTEGER");
  }

  startRun(runId: string, name: string): void {
    this.#database.prepare("INSERT INTO run VALUES (?, ?, NULL, 1)").run(runId, name);
  }

  /** The final model is saved, and clients are to hear of it. */
  endRun({ code, sentence }: Ending): void {
    this.#database.prepare("INSERT OR REPLACE INTO ending VALUES (1, ?, ?)").run(code, sentence);
  }

  /** Every client confirmed or had its time: the run is wholly over. */
  finishRun(): void {
    this.#database.prepare("UPDATE run SET finished = (SELECT sentence FROM ending)").run();
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

  /** These clients' updates are not to be had any more, and the round takes others in their place. */
  lose(round: number, clients: readonly string[]): void {
    this.#atomic(() => {
      const lost = this.#database.prepare("DELETE FROM updates WHERE round = ? AND client = ?");
      for (const client of clients) lost.run(round, client);
      this.#database.prepare("UPDATE rounds SET stage = 'open' WHERE round = ?").run(round);
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

  /** Lets the records of a round and all before it go; those of updates sooner. */
  forget(round: number): void {
    this.#atomic(() => {
      this.#database.prepare("DELETE FROM rounds WHERE round <= ? AND stage = 'closed'").run(round);
      this.#database.prepare(
        "DELETE FROM updates WHERE round <= (SELECT max(round) FROM rounds) - ?",
      ).run(UPDATES_OF_ROUNDS);
    });
  }

  accept(round: number, update: UpdateRow): void {
    const { client, taskId, kind, samples, metrics, file, checksum = null } = update;
    this.#database.prepare("INSERT INTO updates VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .run(round, client, taskId, kind, samples, JSON.stringify(metrics), file, checksum);
  }

  keepSession(row: SessionRow): void {
    const { client, session, nonce, samples, software, labels, downlinkWire } = row;
    this.#database.prepare("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .run(
        client,
        session,
        nonce,
        samples,
        software,
        JSON.stringify(labels),
        downlinkWire ?? null,
        Number(row.present),
        Number(row.converged),
      );
  }

  /** @param confirmed The client holds the final model. */
  endSession(client: string, confirmed: boolean): void {
    this.#atomic(() => {
      this.#database.prepare("DELETE FROM sessions WHERE client = ?").run(client);
      if (!confirmed) return;
      this.#database.prepare("INSERT OR IGNORE INTO confirmed VALUES (?)").run(client);
    });
  }

  /** All or nothing, whenever the process dies. */
  #atomic(change: () => void): void {
    this.#database.exec("BEGIN");
    try {
      change();
      this.#database.exec("COMMIT");
    } catch (error) {
      // Of a full disk SQLite has rolled back by itself, and asked again it would tell of that alone.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/**
 * It holds what clients' sessions are resumed by, so it is its owner's alone; SQLite gives its
 * journals the mode that the database has. One that is there keeps the mode that it has.
 */
function createPrivately(path: string): void {
  Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
}
