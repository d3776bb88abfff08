/** Keeps what must not be lost: takes updates in, folds them, makes the model of a round, saves it. */

import { createHash } from "node:crypto";
import { decodeSafetensors, encodeSafetensors } from "../weights/safetensors.ts";
import { isRejection, type NamedTensors, type Rejection } from "../weights/tensors.ts";
import { full, type MadeRound, type Opened, type Part, type PartOutcome } from "./answers.ts";
import { Assembly } from "./assembly.ts";
import { Ledger } from "./ledger.ts";
import type {
  Assigned,
  Ending,
  Metrics,
  RoundRecord,
  RoundRow,
  SessionRow,
  UpdateRow,
} from "./records.ts";
import { isFull, withRoom } from "./full.ts";
import { type LostUpdate, type OpenRound, refold } from "./open_round.ts";
import { inside } from "./opening.ts";
import type { VaultOptions } from "./options.ts";
import { Room } from "./room.ts";
import { Shelf, type Swept } from "./shelf.ts";
import { weightedMean } from "./training_metrics.ts";
import { VaultError } from "./vault_error.ts";

export type { MadeRound, Opened, Part, PartOutcome } from "./answers.ts";
export type { VaultOptions } from "./options.ts";
export { VaultError } from "./vault_error.ts";

export class Vault implements Disposable {
  readonly #options: VaultOptions;
  readonly #shelf: Shelf;
  readonly #ledger: Ledger;
  readonly #room: Room;
  #tensors: NamedTensors = new Map();
  /** Newest models by round; a saved one goes when a newer one is made. */
  readonly #models = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #made = new Map<number, MadeRound>();
  readonly #assemblies = new Map<string, Assembly>();
  #open: OpenRound | undefined;

  /** @throws {VaultError} for a state directory that cannot be used. */
  constructor(options: VaultOptions) {
    const { stateDirectory, durability } = options;
    this.#options = options;
    using stack = new DisposableStack();
    this.#shelf = inside(stateDirectory, () => stack.use(new Shelf(stateDirectory, durability)));
    this.#ledger = inside(stateDirectory, () => new Ledger(this.#shelf.ledgerPath, durability));
    stack.move();
    this.#room = new Room(options, this.#shelf);
  }

  /**
   * Opens the run that the state directory holds, or starts one from `initialModel`.
   * @throws {VaultError} for a state directory or a model that cannot be used.
   */
  open(initialModel: Uint8Array<ArrayBuffer>): Opened {
    return inside(this.#options.stateDirectory, () => this.#openRun(initialModel));
  }

  #openRun(initialModel: Uint8Array<ArrayBuffer>): Opened {
    const run = this.#ledger.records.run();
    if (run !== undefined && run.name !== this.#options.name) {
      throw new VaultError(
        `The state directory holds the federation "${run.name}", not "${this.#options.name}": ` +
          `choose another --state or --name ${run.name}`,
      );
    }
    let runId = run?.runId;
    let lost: readonly LostUpdate[] = [];
    if (runId === undefined) {
      runId = crypto.randomUUID();
      this.#begin(initialModel);
      this.#ledger.startRun(runId, this.#options.name);
    } else lost = this.#resume();
    const swept = this.#sweep();
    this.#room.check(this.#modelBytes);
    const open = this.#open;
    const history = this.#ledger.records.history();
    const closedRounds = history.at(-1)?.round ?? 0;
    return {
      runId,
      closedRounds,
      nextTaskId: this.#ledger.records.run()?.nextTaskId ?? 1,
      history,
      finished: run?.finished,
      ending: this.#ledger.records.ending(),
      confirmed: this.#ledger.records.confirmed(),
      sessions: this.#ledger.records.sessions(),
      counted: this.#ledger.records.counted(),
      open: open === undefined ? undefined : {
        assigned: open.assigned,
        answered: [...open.answered].sort(),
      },
      model: {
        bytes: this.#held(closedRounds).length,
        tensors: [...this.#tensors.values()].map(({ name, dtype, shape }) => ({
          name,
          dtype,
          shape,
        })),
      },
      swept,
      lost,
    };
  }

  #sweep(): Swept {
    const recorded = this.#ledger.records.unsaved().flatMap(({ round }) =>
      this.#ledger.records.updates(round)
    );
    return this.#shelf.sweep(new Set(recorded.map((update) => update.file)));
  }

  #begin(initialModel: Uint8Array<ArrayBuffer>): void {
    this.#adopt(0, initialModel);
    try {
      this.#options.strategy.aggregate({ round: 0, tensors: this.#tensors }, 1, {
        totalSamples: 1,
      });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new VaultError(`The initial model cannot be trained: ${error.message}`);
    }
    this.#shelf.saveModel(0, initialModel);
  }

  /**
   * Goes on from the newest saved model: folds again what was accepted before the process ended. Gives
   * back what a power cut has taken of it.
   */
  #resume(): LostUpdate[] {
    const { strategy, stateDirectory } = this.#options;
    const round = this.#ledger.records.record()?.round ?? 0;
    const bytes = this.#shelf.model(round);
    if (bytes === undefined) {
      throw new VaultError(
        `The state directory ${stateDirectory} lacks the model of round ${round}: ` +
          "bring it back, or choose another --state for a new run",
      );
    }
    this.#adopt(round, bytes);
    const state = this.#shelf.strategyState(round);
    if (state !== undefined) strategy.restore?.(tensorsOf(state, "the strategy's state"));
    return this.#ledger.records.unsaved().flatMap((row) => this.#goOn(row));
  }

  /** Goes on with a round whose model is not saved. One that had been decided is open again if it lost an update. */
  #goOn({ round, stage, assigned }: RoundRow): LostUpdate[] {
    const updates = this.#ledger.records.updates(round);
    if (this.#open !== undefined) return this.#giveUp(round, updates);
    const open = this.#start(round, assigned);
    const lost = refold(open, updates, this.#shelf);
    const [first] = lost;
    if (first === undefined) {
      if (stage !== "closing") return lost;
      this.close(round);
      this.save(round, 0);
    } else if (this.#options.durability === "power") {
      throw new VaultError(
        `Cannot use ${first.file}, an update of ${first.client}: ${first.reason}`,
      );
    } else this.#ledger.lose(round, lost.map(({ client }) => client));
    return lost;
  }

  /** A round had begun on the model of one that is open again: what was trained from that is in vain. */
  #giveUp(round: number, updates: readonly UpdateRow[]): LostUpdate[] {
    const reason = "the model that it was trained from is lost";
    this.#ledger.lose(round, updates.map(({ client }) => client));
    this.#ledger.abandon(round);
    return updates.map(({ client, file }) => ({ client, round, file, reason }));
  }

  begin(round: number, assigned: readonly Assigned[]): void {
    withRoom(this.#options.stateDirectory, () => this.#ledger.begin(round, assigned));
    this.#start(round, assigned);
  }

  #start(round: number, assigned: readonly Assigned[]): OpenRound {
    const totalSamples = assigned.reduce((sum, each) => sum + each.samples, 0);
    const model = { round: round - 1, tensors: this.#tensors };
    const aggregation = this.#options.strategy.aggregate(model, round, { totalSamples });
    return this.#open = { round, assigned, answered: new Set(), aggregation };
  }

  /** Takes a part of an update. The coordinator has checked client, task, samples and sizes. */
  part(part: Part): PartOutcome {
    const open = this.#open;
    const assigned = open?.assigned.find((each) => each.client === part.client);
    if (
      open?.round !== part.round || assigned?.taskId !== part.taskId ||
      open.answered.has(part.client)
    ) {
      return { kind: "stale", nextOffset: 0 };
    }
    let assembly = this.#assemblies.get(part.client);
    if (assembly === undefined || assembly.head.uploadId !== part.uploadId) {
      this.discard(part.client);
      if (!this.#room.has(part.totalBytes, this.#modelBytes)) {
        return full("--state-max-bytes is reached");
      }
      assembly = new Assembly(part);
    }
    try {
      return this.#take(open, part, assembly);
    } catch (error) {
      if (!isFull(error)) throw error;
      this.discard(part.client); // what it takes others can use
      return full("the disk is full");
    }
  }

  #take(open: OpenRound, part: Part, assembly: Assembly): PartOutcome {
    if (this.#assemblies.get(part.client) !== assembly) {
      this.#assemblies.set(part.client, assembly);
      this.#shelf.startUpload(part.client, part.totalBytes);
    }
    const taken = assembly.take(
      part,
      part,
      (bytes, offset) => this.#shelf.write(part.client, bytes, offset),
    );
    if (taken.kind !== "complete") return taken;
    const rejection = this.#decide(open, part, assembly);
    return rejection === undefined
      ? { kind: "accepted", nextOffset: taken.nextOffset }
      : { kind: rejection.reason, detail: rejection.detail, nextOffset: 0 };
  }

  /** Whatever comes of it, the upload is over. */
  #decide(open: OpenRound, part: Part, assembly: Assembly): Rejection | undefined {
    try {
      return this.#accept(open, part, assembly);
    } finally {
      this.discard(part.client);
    }
  }

  /** Checks, then records, then folds: what was recorded is folded again after a crash. */
  #accept(open: OpenRound, part: Part, assembly: Assembly): Rejection | undefined {
    const tensors = decodeSafetensors(assembly.bytes);
    if (isRejection(tensors)) return tensors;
    const { client, taskId, kind, samples, metrics } = part;
    const update = { client, samples, kind, tensors };
    const rejection = open.aggregation.check(update);
    if (rejection !== undefined) return rejection;
    const kept = this.#shelf.finishUpload(client, { round: open.round, taskId });
    try {
      this.#ledger.accept(open.round, { client, taskId, kind, samples, metrics, ...kept });
    } catch (error) {
      this.#shelf.dropUpdates([kept.file]);
      throw error;
    }
    open.aggregation.add(update);
    open.answered.add(client);
    return undefined;
  }

  /** Forgets a client's unfinished upload. */
  discard(client: string): void {
    if (this.#assemblies.delete(client)) this.#shelf.dropUpload(client);
  }

  abandon(round: number): void {
    if (this.#open?.round !== round) return;
    const files = this.#ledger.records.updates(round).map((update) => update.file);
    withRoom(this.#options.stateDirectory, () => this.#ledger.abandon(round));
    this.#endRound();
    this.#shelf.dropUpdates(files);
  }

  /** Makes the model of the open round from the updates in it. `save` must follow. */
  close(round: number): MadeRound {
    const open = this.#open;
    if (open === undefined || open.round !== round) {
      throw new RangeError(`Cannot close round ${round}: it is not open`);
    }
    withRoom(this.#options.stateDirectory, () => this.#ledger.closing(round));
    this.#endRound();
    const updates = this.#ledger.records.updates(round);
    this.#adopt(round, encodeSafetensors(open.aggregation.finish().tensors));
    const made: MadeRound = {
      round,
      clients: updates.map((update) => update.client),
      samples: updates.reduce((sum, update) => sum + update.samples, 0),
      training: weightedMean(updates),
    };
    this.#made.set(round, made);
    return made;
  }

  /** Hashes and saves a model that was made, and only then lets go of its updates. */
  save(round: number, seconds: number): RoundRecord {
    return withRoom(this.#options.stateDirectory, () => this.#save(round, seconds));
  }

  #save(round: number, seconds: number): RoundRecord {
    const made = this.#made.get(round);
    const bytes = this.#models.get(round);
    if (made === undefined || bytes === undefined) {
      throw new RangeError(`Cannot save the model of round ${round}: it was not made`);
    }
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const files = this.#ledger.records.updates(round).map((update) => update.file);
    const state = this.#options.strategy.state?.();
    if (state !== undefined) this.#shelf.saveStrategyState(round, encodeSafetensors(state));
    this.#shelf.saveModel(round, bytes);
    const record: RoundRecord = { ...made, evaluation: {}, sha256, seconds };
    this.#ledger.closed(record);
    this.#ledger.forget(round - this.#options.keepRounds);
    this.#made.delete(round);
    this.#shelf.dropUpdates(files);
    this.#shelf.prune(round, this.#options.keepModels);
    return record;
  }

  /** Adds to a saved round what its evaluation gave. */
  evaluated(round: number, evaluation: Metrics): void {
    const record = this.#ledger.records.record(round);
    if (record === undefined) return;
    withRoom(this.#options.stateDirectory, () => this.#ledger.closed({ ...record, evaluation }));
  }

  /** Copies of a model for the wires, to be transferred. */
  copies(round: number, count: number): ArrayBuffer[] {
    const bytes = this.#held(round);
    return Array.from({ length: count }, () => bytes.slice().buffer);
  }

  sha256(round: number): string {
    return createHash("sha256").update(this.#held(round)).digest("hex");
  }

  /** Writes the final model and the history beside the ledger. Gives back the model's path. */
  finish(round: number, ending: Ending): { sha256: string; modelPath: string | undefined } {
    const history = this.#ledger.records.history();
    const modelPath = withRoom(this.#options.stateDirectory, () => {
      const path = this.#shelf.saveFinal(this.#held(round), history);
      this.#ledger.endRun(ending);
      return path;
    });
    return { sha256: this.sha256(round), modelPath };
  }

  /** Every client heard of the end, or had its time. */
  end(): void {
    withRoom(this.#options.stateDirectory, () => this.#ledger.finishRun());
  }

  keepSession(session: SessionRow): void {
    this.#ledger.keepSession(session);
  }

  /** @param confirmed The client holds the final model. */
  endSession(client: string, confirmed: boolean): void {
    this.#ledger.endSession(client, confirmed);
  }

  /** Of any model of the run: all have the same tensors. */
  get #modelBytes(): number {
    const [bytes] = this.#models.values();
    return bytes?.length ?? 0;
  }

  #held(round: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#models.get(round);
    if (bytes === undefined) throw new RangeError(`Vault: the model of round ${round} is not held`);
    return bytes;
  }

  #adopt(round: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#tensors = tensorsOf(bytes, `the model of round ${round}`);
    for (const older of this.#models.keys()) {
      if (!this.#made.has(older) && older < round - 1) this.#models.delete(older);
    }
    this.#models.set(round, bytes);
  }

  #endRound(): void {
    this.#open = undefined;
    for (const client of this.#assemblies.keys()) this.#shelf.dropUpload(client);
    this.#assemblies.clear();
  }

  [Symbol.dispose](): void {
    this.#endRound();
    this.#ledger[Symbol.dispose]();
    this.#shelf[Symbol.dispose]();
  }
}

function tensorsOf(bytes: Uint8Array, what: string): NamedTensors {
  const tensors = decodeSafetensors(bytes);
  if (isRejection(tensors)) throw new VaultError(`Cannot read ${what}: ${tensors.detail}`);
  return tensors;
}
