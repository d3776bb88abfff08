/** Whether this machine's clock can be right: tokens and certificates are judged by it. */

import { join } from "node:path";
import { durationText } from "../quantities.ts";
import { failed, type Finding, ok } from "./finding.ts";

/** No clock that is right shows less: the program is from later. */
const WRITTEN_MS = Date.UTC(2026, 10, 1);
/** Of a file server's clock. */
const TOLERANCE_MS = 60_000;

const CHECK = "clock";
const TODO = "set this machine's clock, e.g. by NTP";

/**
 * Compares with what was written before. No broker can be asked: neither MQTT nor AMQP tells the
 * time.
 */
export function checkClock(state: string | undefined, nowMs = Date.now()): Finding {
  const now = new Date(nowMs).toISOString();
  if (nowMs < WRITTEN_MS) return failed(CHECK, `it is at ${now}, before this program's time`, TODO);
  const newest = state === undefined ? undefined : newestIn(state);
  if (newest === undefined) return ok(CHECK, `${now}, with no state to compare it with`);
  const ageMs = nowMs - newest.writtenMs;
  if (ageMs < -TOLERANCE_MS) {
    return failed(
      CHECK,
      `it is at ${now}, ${durationText(-ageMs)} before ${newest.path} was written`,
      TODO,
    );
  }
  return ok(CHECK, `${now}, ${durationText(ageMs)} after ${newest.path} was written`);
}

interface Written {
  readonly path: string;
  readonly writtenMs: number;
}

/** The newest file of a state directory and its rooms; undefined where there is none. */
function newestIn(directory: string): Written | undefined {
  let newest: Written | undefined;
  const look = (folder: string, depth: number) => {
    for (const { name, isFile, isDirectory } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (isDirectory && depth > 0) look(path, depth - 1);
      if (!isFile) continue;
      const writtenMs = Deno.statSync(path).mtime?.getTime() ?? 0;
      if (writtenMs > (newest?.writtenMs ?? 0)) newest = { path, writtenMs };
    }
  };
  try {
    look(directory, 1);
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound; // a server has not been here, or tidies up
    // What may not be read, or is no directory, is the disk's check to tell of.
    if (
      !absent && !(error instanceof Deno.errors.PermissionDenied) &&
      !(error instanceof Deno.errors.NotADirectory)
    ) throw error;
  }
  return newest;
}
