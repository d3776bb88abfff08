/** A client's state directory: its session, its newest model and its unfinished update. */

import { join } from "node:path";
import { z } from "zod";
import { UpdateKind } from "../contract/federation_pb.ts";
import { FileLock } from "../file_lock.ts";
import type { FinishedRun, Keeping, Kept, KeptModel, KeptSession } from "./kept.ts";
import { Newest } from "./newest.ts";
import {
  type FileContent,
  ForeignFile,
  readStateFile,
  removeFile,
  removeUnfinished,
  writeStateFile,
} from "./state_file.ts";
import type { Update } from "./upload.ts";

const KINDS = ["session", "model", "update"] as const;
type Kind = (typeof KINDS)[number];

const hex = z.string().regex(/^([0-9a-f]{2})*$/).transform((text) => Uint8Array.fromHex(text));

const sessionSchema = z.object({
  client: z.string(),
  runId: z.string(),
  session: hex,
  /** Of the final model, where this client took part to the run's end. */
  finalSha256: hex.optional(),
});

const modelSchema = z.object({ runId: z.string(), round: z.number(), sha256: hex });

const updateSchema = z.object({
  runId: z.string(),
  taskId: z.number(),
  modelRound: z.number(),
  uploadId: hex,
  kind: z.enum(UpdateKind),
  samples: z.number(),
  /** JSON knows no NaN. */
  metrics: z.record(z.string(), z.number().nullable().transform((value) => value ?? NaN)),
});

export interface ClientStateOptions {
  /** The client's id; left out, it is that of the session kept, or a new one. */
  readonly clientId: string | undefined;
  readonly newClientId: () => string;
  /** Gets one sentence where something cannot be read, or cannot be kept. */
  readonly report: (sentence: string) => void;
}

export class ClientState implements Keeping, AsyncDisposable {
  readonly #path: string;
  readonly #lock: FileLock;
  readonly #report: (sentence: string) => void;
  readonly #newest: Newest<Kind, FileContent | undefined>;
  #clientId = "";
  #kept: Kept | undefined;
  #finishedRun: FinishedRun | undefined;
  /** What could not be written the last time. */
  readonly #failing = new Set<Kind>();

  private constructor(path: string, lock: FileLock, report: (sentence: string) => void) {
    this.#path = path;
    this.#lock = lock;
    this.#report = report;
    this.#newest = new Newest((kind, content) => this.#write(kind, content));
  }

  /**
   * Makes the directory, or takes up what an earlier process has left in it.
   * @throws {Error} with a sentence that says what to change, where it cannot be used.
   */
  static async open(path: string, options: ClientStateOptions): Promise<ClientState> {
    let lock: FileLock | undefined;
    try {
      await Deno.mkdir(path, { recursive: true, mode: 0o700 });
      lock = FileLock.take(join(path, "client.lock"));
    } catch (error) {
      throw new Error(`${path} cannot be used: ${reasonOf(error)}`, { cause: error });
    }
    if (lock === undefined) {
      throw new Error(`${path} is in use by another client; give each one a directory of its own`);
    }
    const state = new ClientState(path, lock, options.report);
    for (const kind of KINDS) await removeUnfinished(state.#file(kind)).catch(() => {});
    await state.#load(options);
    return state;
  }

  get clientId(): string {
    return this.#clientId;
  }

  /** What an earlier process has left. Handed out once: nobody else needs to hold its bytes. */
  takeKept(): Kept | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept;
  }

  /** The newest run that this client took part in to its end, if no other has begun since. */
  get finishedRun(): FinishedRun | undefined {
    return this.#finishedRun;
  }

  #file(kind: Kind): string {
    return join(this.#path, `${kind}.tributary`);
  }

  async #load({ clientId, newClientId }: ClientStateOptions): Promise<void> {
    const found = await this.#read("session", sessionSchema);
    const session = found?.fields;
    this.#clientId = clientId ?? session?.client ?? newClientId();
    if (session === undefined) return;
    if (session.client !== this.#clientId) {
      this.#report(
        `${this.#path} holds the session of ${session.client}, not of ${this.#clientId}; ` +
          "it is left out, and will be overwritten",
      );
      return;
    }
    const { runId, finalSha256 } = session;
    if (finalSha256 !== undefined) {
      this.#finishedRun = { runId, modelSha256: finalSha256 };
      return;
    }
    const model = await this.#read("model", modelSchema);
    const update = await this.#read("update", updateSchema);
    this.#kept = {
      ...session,
      // Those of an earlier run say nothing.
      model: model?.fields.runId === runId ? { ...model.fields, bytes: model.bytes } : undefined,
      update: update?.fields.runId === runId
        ? { ...update.fields, bytes: update.bytes, heldBytes: undefined }
        : undefined,
    };
  }

  /** What cannot be read is reported, and done without. */
  async #read<Fields>(
    kind: Kind,
    schema: z.ZodType<Fields>,
  ): Promise<{ fields: Fields; bytes: Uint8Array<ArrayBuffer> } | undefined> {
    const path = this.#file(kind);
    try {
      const found = await readStateFile(path);
      if (found === undefined) return undefined;
      const { data: fields } = schema.safeParse(found.fields);
      if (fields === undefined) throw new ForeignFile("is of another version of Tributary");
      return { fields, bytes: found.bytes };
    } catch (error) {
      this.#report(
        error instanceof ForeignFile
          ? `${path} ${error.message}; it is left out`
          : `${path} cannot be read and is left out: ${reasonOf(error)}`,
      );
      return undefined;
    }
  }

  session({ runId, session }: KeptSession): void {
    this.#finishedRun = undefined;
    this.#keepSession({ runId, session: session.toHex() });
  }

  finished({ runId, modelSha256 }: FinishedRun): void {
    this.#finishedRun = { runId, modelSha256 };
    this.#keepSession({ runId, session: "", finalSha256: modelSha256.toHex() });
  }

  #keepSession(fields: Record<string, string>): void {
    const content = { fields: { client: this.#clientId, ...fields }, bytes: new Uint8Array() };
    void this.#newest.put("session", content);
  }

  model(runId: string, { round, bytes, sha256 }: KeptModel): void {
    void this.#newest.put("model", { fields: { runId, round, sha256: sha256.toHex() }, bytes });
  }

  async update(runId: string, update: Update | undefined): Promise<void> {
    if (update === undefined) return await this.#newest.put("update", undefined);
    const { taskId, modelRound, uploadId, kind, samples, metrics, bytes } = update;
    await this.#newest.put("update", {
      fields: { runId, taskId, modelRound, uploadId: uploadId.toHex(), kind, samples, metrics },
      bytes,
    });
  }

  async #write(kind: Kind, content: FileContent | undefined): Promise<void> {
    try {
      if (content === undefined) return await removeFile(this.#file(kind));
      await writeStateFile(this.#file(kind), content);
      this.#failing.delete(kind);
    } catch (error) {
      // What is there is older, which its run, round and task tell: it does no harm.
      const said = this.#failing.size > 0;
      this.#failing.add(kind);
      if (said) return;
      this.#report(
        `Nothing can be kept in ${this.#path} for now, and the client goes on without: ` +
          reasonOf(error),
      );
    }
  }

  /** Resolves when all is kept that was handed in. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#newest.settled();
    this.#lock[Symbol.dispose]();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
