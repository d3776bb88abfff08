/**
 * A temporary directory of one process: nobody else may look into it, and it is removed with the
 * process, or after a kill by the next process that makes one.
 */

import { dirname, join } from "node:path";
import { FileLock } from "./file_lock.ts";

const PREFIX = "tributary-process-";
/** Held by the directory's process as long as it lives. What has none is none of ours. */
const LOCK = ".tributary-lock";
/** For its owner alone, as `Deno.makeTempDir` makes it. */
const MODE = 0o700;

export class PrivateDirectory implements Disposable {
  readonly path: string;
  readonly #lock: FileLock;

  private constructor(path: string, lock: FileLock) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes a new one in the system's temporary directory, after those were removed whose processes
   * are no more.
   * @throws {Error} where there is no place for one, or files cannot be locked there.
   */
  static make(): PrivateDirectory {
    for (;;) {
      const path = Deno.makeTempDirSync({ prefix: PREFIX });
      sweep(path);
      const lock = ownLock(path);
      // Another process may have taken it for an abandoned one before it was locked.
      if (lock !== undefined && isThere(join(path, LOCK))) return new PrivateDirectory(path, lock);
      lock?.[Symbol.dispose]();
    }
  }

  /** Removes the directory. What is still in use where files in use stay is left for the next one. */
  [Symbol.dispose](): void {
    remove(this.path);
    this.#lock[Symbol.dispose]();
  }
}

/** Removes this user's directories beside `own` whose processes are no more. */
function sweep(own: string): void {
  const owner = Deno.lstatSync(own).uid;
  const parent = dirname(own);
  for (const { name, isDirectory } of Deno.readDirSync(parent)) {
    const path = join(parent, name);
    if (!isDirectory || !name.startsWith(PREFIX) || path === own) continue;
    if (!isPrivateTo(path, owner) || !isThere(join(path, LOCK))) continue;
    using lock = lockOf(path);
    if (lock !== undefined) remove(path);
  }
}

/** Whether it looks as `make` makes it: this user's, closed to all others, and never of anybody else. */
function isPrivateTo(path: string, owner: number | null): boolean {
  try {
    const { isDirectory, uid, mode } = Deno.lstatSync(path);
    return isDirectory && uid === owner && (mode === null || (mode & 0o777) === MODE);
  } catch {
    return false; // it went away meanwhile
  }
}

/** Undefined where another process has it, or has removed the directory. */
function ownLock(directory: string): FileLock | undefined {
  try {
    return FileLock.take(join(directory, LOCK));
  } catch (error) {
    if (!isThere(directory)) return undefined;
    remove(directory); // without an end, one after another would be made
    throw error;
  }
}

/** Undefined where a living process has it, or it is gone. */
function lockOf(directory: string): FileLock | undefined {
  try {
    return FileLock.take(join(directory, LOCK));
  } catch {
    return undefined;
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch {
    // Windows keeps a library that is loaded; or another process is removing it, too.
  }
}
