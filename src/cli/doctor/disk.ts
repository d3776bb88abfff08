/** Whether the state directory takes what a run writes there. */

import { statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Config } from "../../config.ts";
import { STRATEGIES, type StrategyEntry } from "../../strategies/mod.ts";
import { syncDirectory } from "../../vault/durability.ts";
import { isFull } from "../../vault/full.ts";
import { bytesText } from "../quantities.ts";
import { failed, type Finding, ok, reasonOf, warning } from "./finding.ts";

const MIB = 1024 * 1024;
/** What a ledger and its journal come to in a long run, and what they take at once. */
const LEDGER_BYTES = 8 * MIB;
const LEDGER_START_BYTES = MIB;
/** What is written to see whether it can be. */
const TRIAL_BYTES = 4096;

const CHECK = "disk";

/** @param modelBytes Of the model that is trained; undefined where it is not known. */
export async function checkDisk(
  config: Config,
  modelBytes: number | undefined,
): Promise<Finding> {
  const { state } = config;
  if (state === undefined) return ok(CHECK, "nothing is kept: there is no --state");
  const place = existing(resolve(state));
  try {
    tryWriting(place, state);
  } catch (error) {
    return isFull(error) ? failed(CHECK, `the disk of ${state} is full`, "make room") : failed(
      CHECK,
      `${state} cannot be written: ${withoutPlace(reasonOf(error))}`,
      "let this user write there, or choose another --state",
    );
  }
  const { bavail, bsize } = await statfs(place);
  return judged(config, state, { freeBytes: bavail * bsize, modelBytes });
}

function judged(
  config: Config,
  state: string,
  { freeBytes, modelBytes }: { freeBytes: number; modelBytes: number | undefined },
): Finding {
  const written = `${state} can be written and synced`;
  const free = `${bytesText(freeBytes)} are free`;
  if (modelBytes === undefined) return ok(CHECK, `${written}, ${free}`);
  const { stateMaxBytes } = config;
  const round = roundBytes(config, modelBytes, 1) + LEDGER_START_BYTES;
  const whole = roundBytes(config, modelBytes, config.training.minClients) + LEDGER_BYTES;
  const kept = `${config.keepModels} models and a round of ${config.training.minClients}`;
  const takes = `what is kept takes ${bytesText(whole)} (${kept})`;
  if (stateMaxBytes !== undefined && stateMaxBytes < whole) {
    return warning(
      CHECK,
      `${written}, but ${takes}, above --state-max-bytes`,
      "raise --state-max-bytes, or keep fewer models by --keep; until then updates wait",
    );
  }
  if (freeBytes < round) {
    return failed(
      CHECK,
      `${written}, but only ${free}, and a round takes ${bytesText(round)}`,
      "make room, or keep fewer models by --keep",
    );
  }
  if (freeBytes < whole) {
    return warning(
      CHECK,
      `${written}, but only ${free}, and ${takes}`,
      "make room, or keep fewer models by --keep; on a full disk updates wait",
    );
  }
  return ok(CHECK, `${written}, ${free}, and ${takes}`);
}

/** The models that are kept, the one that is being made and the final one, and updates. */
function roundBytes({ keepModels, strategy }: Config, modelBytes: number, updates: number): number {
  const entry: StrategyEntry = STRATEGIES[strategy.name];
  // Two moments in float64 beside each model are four times a model in float32.
  const perModel = entry.create(strategy.options).state === undefined ? 1 : 5;
  return modelBytes * ((keepModels + 1) * perModel + 1 + updates);
}

/** The directory, or the nearest one above in which it would be made. */
function existing(path: string): string {
  try {
    Deno.statSync(path);
    return path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) || dirname(path) === path) return path;
    return existing(dirname(path));
  }
}

/** As the vault does: a new file that is synced, and its name; then the ledger that is there. */
function tryWriting(place: string, state: string): void {
  const trial = join(place, `.tributary-doctor-${crypto.randomUUID()}`);
  try {
    using file = Deno.openSync(trial, { write: true, createNew: true, mode: 0o600 });
    file.writeSync(new Uint8Array(TRIAL_BYTES));
    file.syncSync();
  } finally {
    try {
      Deno.removeSync(trial);
    } catch {
      // It was never made.
    }
  }
  syncDirectory(place);
  try {
    Deno.openSync(join(state, "ledger.sqlite"), { write: true }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Without the operation and the trial's name: `Read-only file system`. */
function withoutPlace(reason: string): string {
  return reason.replace(/: \w+ '[^']*'$/, "").replace(/ \(os error \d+\)$/, "");
}
