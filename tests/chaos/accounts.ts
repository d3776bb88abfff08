/**
 * Who must be in the models, who may be, and who is. Client i's update is 1 at place i and 0
 * elsewhere, and all weigh the same: the model shows who counted, and how often.
 */

import { join } from "node:path";
import { decodeSafetensors } from "../../src/weights/safetensors.ts";
import { isRejection } from "../../src/weights/tensors.ts";
import { valuesOf } from "../support/member.ts";

/** Verdicts that tell a client that its update counts. */
const COUNTED: ReadonlySet<unknown> = new Set(["ACCEPTED", "DUPLICATE"]);

export interface Promised {
  readonly client: string;
  readonly round: number;
}

export class Accounts {
  readonly #indices: ReadonlyMap<string, number>;
  readonly #directory: string;
  /** By round: who was told that its update counts. */
  readonly #promised = new Map<number, Set<string>>();
  #promises = 0;
  readonly #checked = new Set<number>();

  /** @param indices By client: the place of its update. @param directory Of the server's state. */
  constructor(indices: ReadonlyMap<string, number>, directory: string) {
    this.#indices = indices;
    this.#directory = directory;
  }

  /** Promises that were made, and models that were looked at. */
  get totals(): { readonly promises: number; readonly models: number } {
    return { promises: this.#promises, models: this.#checked.size };
  }

  /** A client was told what became of its update. */
  heard({ client, round }: Promised, verdict: unknown): void {
    if (!COUNTED.has(verdict)) return;
    const clients = this.#promised.get(round) ?? new Set();
    this.#promised.set(round, clients);
    if (!clients.has(client)) this.#promises++;
    clients.add(client);
  }

  /**
   * Looks at the model that a round made.
   * @returns what is wrong with it, a sentence each.
   */
  async check(round: number): Promise<string[]> {
    const values = await this.#model(round);
    if (values === undefined) return [`round ${round} closed, and its model is not there`];
    this.#checked.add(round);
    const present = new Set(values.flatMap((value, index) => value === 0 ? [] : [index]));
    const share = Math.fround(1 / present.size);
    const wrong: string[] = [];
    for (const index of present) {
      if (values[index] !== share) {
        const client = this.#clientAt(index) ?? `nobody (${index})`;
        wrong.push(
          `round ${round}: ${client} weighs ${values[index]}, and should ${share} as one of ` +
            `${present.size}`,
        );
      }
    }
    for (const client of this.#promised.get(round) ?? []) {
      if (!present.has(this.#indices.get(client) ?? -1)) {
        wrong.push(`round ${round}: ${client} was told that its update counts, and it does not`);
      }
    }
    return wrong;
  }

  #clientAt(index: number): string | undefined {
    return [...this.#indices].find(([, place]) => place === index)?.[0];
  }

  async #model(round: number): Promise<number[] | undefined> {
    const name = `round-${String(round).padStart(6, "0")}.safetensors`;
    let bytes: Uint8Array;
    try {
      bytes = await Deno.readFile(join(this.#directory, "models", name));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    if (isRejection(decodeSafetensors(bytes))) return [Number.NaN];
    return valuesOf(bytes);
  }
}
