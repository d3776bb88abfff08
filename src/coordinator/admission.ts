/** Which parts of updates may pass to the vault: everything that can be judged without their content. */

import { type UpdatePart, Verdict } from "../contract/federation_pb.ts";
import type { Clock } from "./clock.ts";
import { type Judgement, refuse, refuseMetrics } from "./judgement.ts";

export interface UpdateLimits {
  readonly maxSamples: number;
  readonly maxUpdateBytes: number;
  /** Sum of total_bytes of all admitted, unfinished updates. */
  readonly maxBytesInFlight: number;
  /** An admitted update without a new part for so long gives its place back. */
  readonly uploadExpiryMs: number;
}

/** The work a part claims to answer, as the round knows it. */
export interface OpenTask {
  readonly taskId: number;
  readonly modelRound: number;
  /** Declared at selection. */
  readonly samples: number;
}

interface Upload {
  readonly taskId: number;
  readonly uploadId: string;
  readonly totalBytes: number;
  /** Upload ids this one took the place of: late parts of theirs must not undo it. */
  readonly retired: readonly string[];
  lastPartMs: number;
}

const UPLOAD_ID_BYTES = 16;
/** Retired upload ids remembered per client. */
const MAX_RETIRED = 16;

export class Admission {
  readonly #limits: UpdateLimits;
  readonly #clock: Clock;
  readonly #uploads = new Map<string, Upload>();
  #bytesInFlight = 0;

  constructor(limits: UpdateLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** Admits a part of `client`'s answer to its open task, or says why not. */
  admit(client: string, part: UpdatePart, task: OpenTask): Judgement | undefined {
    return this.#fields(part, task) ?? this.#place(client, part);
  }

  #fields(part: UpdatePart, task: OpenTask): Judgement | undefined {
    const { maxSamples, maxUpdateBytes } = this.#limits;
    if (part.uploadId.length !== UPLOAD_ID_BYTES) {
      return malformed(`upload_id has ${part.uploadId.length} bytes, not ${UPLOAD_ID_BYTES}`);
    }
    if (part.name !== "" && part.name !== "weights") {
      return unsupported(`no task asks for the tensor set "${part.name}"; send "weights"`);
    }
    if (part.encoding !== "") {
      return unsupported(`encoding "${part.encoding}" is unknown; send plain safetensors`);
    }
    if (part.modelRound !== task.modelRound) {
      const verdict = part.modelRound < task.modelRound ? Verdict.STALE : Verdict.EARLY;
      const detail = `trained from model ${part.modelRound}, the task names ${task.modelRound}`;
      return refuse(verdict, detail);
    }
    if (part.samples === 0) return malformed("samples is 0; it must be at least 1");
    const most = Math.min(task.samples, maxSamples);
    if (part.samples > most) {
      return refuse(Verdict.OUT_OF_RANGE, `samples ${part.samples} exceeds ${most}`);
    }
    if (part.totalBytes > BigInt(maxUpdateBytes)) {
      const detail = `total_bytes ${part.totalBytes} exceeds the limit of ${maxUpdateBytes}`;
      return refuse(Verdict.OVERSIZED, detail);
    }
    if (part.offset + BigInt(part.bytes.length) > part.totalBytes) {
      return malformed(`the part ends beyond total_bytes ${part.totalBytes}`);
    }
    if (part.bytes.length === 0 && part.totalBytes > 0n) return malformed("the part is empty");
    return refuseMetrics(part.metrics);
  }

  /** The first part of an update reserves its total_bytes or is told to wait; later ones never are. */
  #place(client: string, part: UpdatePart): Judgement | undefined {
    const uploadId = part.uploadId.toHex();
    const known = this.#uploads.get(client);
    const current = known?.taskId === part.taskId ? known : undefined;
    if (current?.uploadId === uploadId) {
      current.lastPartMs = this.#clock.nowMs();
      return undefined;
    }
    if (current?.retired.includes(uploadId)) {
      return refuse(Verdict.STALE, "another upload of this task has begun since");
    }
    const totalBytes = Number(part.totalBytes);
    const others = this.#bytesInFlight - (known?.totalBytes ?? 0);
    if (others > 0 && others + totalBytes > this.#limits.maxBytesInFlight) {
      const detail = "the server holds as many unfinished updates as it may";
      return { ...refuse(Verdict.BUSY, detail), retryAfterMs: 1000 };
    }
    this.#bytesInFlight = others + totalBytes;
    const retired = current === undefined
      ? []
      : [...current.retired, current.uploadId].slice(-MAX_RETIRED);
    const lastPartMs = this.#clock.nowMs();
    this.#uploads.set(client, { taskId: part.taskId, uploadId, totalBytes, retired, lastPartMs });
    return undefined;
  }

  /** Gives a client's place back. */
  release(client: string): void {
    const upload = this.#uploads.get(client);
    if (upload === undefined) return;
    this.#uploads.delete(client);
    this.#bytesInFlight -= upload.totalBytes;
  }

  /** Gives every place back: no unfinished update outlives its round. */
  clear(): void {
    this.#uploads.clear();
    this.#bytesInFlight = 0;
  }

  /** Releases every upload without a part for too long. Gives back whose. */
  expire(): string[] {
    const oldest = this.#clock.nowMs() - this.#limits.uploadExpiryMs;
    const expired = [...this.#uploads].filter(([, upload]) => upload.lastPartMs < oldest)
      .map(([client]) => client);
    for (const client of expired) this.release(client);
    return expired;
  }
}

function malformed(detail: string): Judgement {
  return refuse(Verdict.MALFORMED, detail);
}

function unsupported(detail: string): Judgement {
  return refuse(Verdict.UNSUPPORTED, detail);
}
