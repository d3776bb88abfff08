/**
 * Tokens that the operator took back: a file in the state directory to which `token revoke` adds a line
 * for each, `2026-11-22T09:30:00.000Z edge-1`, and which a running server looks at each second.
 */

import { join } from "node:path";
import { ConfigError } from "../config/config_error.ts";
import { isClientId } from "../contract/client_id.ts";
import type { Revocations } from "../contract/token.ts";
import type { Clock, Timer } from "../coordinator/clock.ts";
import { placeFile } from "./placed_file.ts";

const FILE_NAME = "revoked";
const LINE = /^(\S+) (\S+)$/;
/** How soon a running server knows. */
export const LOOK_MS = 1000;

/**
 * Of every client the second up to which its tokens are void. Empty where nothing was revoked.
 * @throws {ConfigError} for a file that cannot be read, or is no such list.
 */
export async function readRevocations(state: string): Promise<Revocations> {
  const path = join(state, FILE_NAME);
  const revoked = new Map<string, number>();
  const lines = (await textOf(path)).split("\n");
  lines.pop(); // without an end it is being written
  for (const [index, line] of lines.entries()) {
    const [, time = "", clientId = ""] = LINE.exec(line) ?? [];
    const seconds = Math.floor(Date.parse(time) / 1000);
    if (Number.isNaN(seconds) || !isClientId(clientId)) {
      throw new ConfigError([
        `${path}, line ${index + 1} is ${JSON.stringify(line)}, but must be a time and a client, ` +
        "like 2026-11-22T09:30:00.000Z edge-1; mend it or remove the line",
      ]);
    }
    revoked.set(clientId, Math.max(seconds, revoked.get(clientId) ?? 0));
  }
  return revoked;
}

/**
 * Makes void what tokens a client has.
 * @throws {ConfigError} for a directory that is none, or cannot be written to.
 */
export async function revoke(
  state: string,
  { clientId, nowMs }: { clientId: string; nowMs: number },
): Promise<void> {
  const path = join(state, FILE_NAME);
  try {
    await beThere(state);
    using file = await Deno.open(path, { append: true });
    // One write: lines of several writers do not mix.
    await file.write(new TextEncoder().encode(`${new Date(nowMs).toISOString()} ${clientId}\n`));
    await file.sync();
  } catch (error) {
    throw unusable(path, error);
  }
}

/** A list that root begins is the server's all the same. */
async function beThere(state: string): Promise<void> {
  try {
    await placeFile(state, FILE_NAME, new Uint8Array());
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): ConfigError {
  const reason = error instanceof Deno.errors.NotFound
    ? "there is no such directory; name the server's --state"
    : error instanceof Error
    ? error.message
    : String(error);
  return new ConfigError([`Cannot use ${path}: ${reason}`], { cause: error });
}

export interface RevocationWatchOptions {
  readonly state: string;
  readonly clock: Clock;
  /** More was revoked than at the start. */
  readonly changed: (revoked: Revocations) => void;
  /** The list cannot be read: what was known of it stays. Said once, until it can be again. */
  readonly failed: (reason: string) => void;
}

/**
 * Looks for what the operator revokes while the server runs. What was revoked stays so until the server is
 * started again: a list that an editor is about to write over is empty for a moment.
 */
export class RevocationWatch implements AsyncDisposable {
  readonly #options: RevocationWatchOptions;
  #known: Revocations;
  #looking: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #isOver = false;
  #hasFailed = false;

  /** @param known What the server has started with. */
  constructor(known: Revocations, options: RevocationWatchOptions) {
    this.#options = options;
    this.#known = known;
    this.#lookLater();
  }

  #lookLater(): void {
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      this.#looking = this.#look();
    });
  }

  async #look(): Promise<void> {
    const { state, changed, failed } = this.#options;
    try {
      const found = [...await readRevocations(state)];
      const news = found.filter(([clientId, seconds]) =>
        seconds > (this.#known.get(clientId) ?? 0)
      );
      if (news.length > 0) {
        this.#known = new Map([...this.#known, ...news]);
        if (!this.#isOver) changed(this.#known);
      }
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) failed(error instanceof Error ? error.message : String(error));
      this.#hasFailed = true;
    }
    if (!this.#isOver) this.#lookLater();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    await this.#looking;
  }
}
