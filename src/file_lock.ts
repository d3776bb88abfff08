/**
 * A file that one process at a time holds. SQLite's lock on a database that is never written to:
 * built into every Deno, taken without waiting, and let go of by the operating system when the
 * process ends, however that comes. (`FsFile.tryLock` came to Deno after 2.6.)
 */

import { DatabaseSync } from "node:sqlite";

export class FileLock implements Disposable {
  #database: DatabaseSync | undefined;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Makes the file where there is none, and leaves it there. Undefined where it is held already, be
   * it by another process or by this one.
   * @throws {Error} when the file cannot be made or written to.
   */
  static take(path: string): FileLock | undefined {
    let database: DatabaseSync | undefined;
    makePrivate(path);
    try {
      database = new DatabaseSync(path);
      // No wait, and no journal beside the file.
      database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return new FileLock(database);
    } catch (error) {
      database?.close();
      if (String(error).includes("database is locked")) return undefined; // SQLITE_BUSY
      // The operating system says it better.
      Deno.openSync(path, { write: true, create: true }).close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#database?.close();
    this.#database = undefined;
  }
}

/** SQLite would let everybody read it, as far as the umask does. */
function makePrivate(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}
