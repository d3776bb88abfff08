/** Feeds broken bytes to a decoder and holds it to its promises: a verdict each time, in bounded memory. */

import v8 from "node:v8";
import { Random } from "../../src/client/random.ts";
import type { Decoder } from "./decoder.ts";
import { Mutation } from "./mutation.ts";

export interface FuzzFigures {
  readonly decoder: string;
  readonly inputs: number;
  readonly taken: number;
  readonly refused: number;
  /** What the greediest input took beside its own length, in ArrayBuffers. */
  readonly mostBytes: number;
}

/** Beside the bound: what an input may cost for each of its own bytes. */
const BYTES_A_BYTE = 16;

/** A decoder broke its promise. The message says how to see it again. */
export class FuzzFailure extends Error {
  override readonly name = "FuzzFailure";
}

export interface FuzzSpec {
  readonly inputs: number;
  /** The same one makes the same inputs. */
  readonly seed: number;
}

/** @throws {FuzzFailure} at the first broken promise. */
export async function fuzz(decoder: Decoder, spec: FuzzSpec): Promise<FuzzFigures> {
  try {
    return await feed(decoder, spec);
  } finally {
    await decoder.close?.();
  }
}

async function feed(decoder: Decoder, { inputs, seed }: FuzzSpec): Promise<FuzzFigures> {
  const { name, boundBytes } = decoder;
  const seeds = await decoder.seeds();
  for (const good of seeds) {
    if (await decoder.decode(new Uint8Array(good)) !== "taken") {
      throw new FuzzFailure(`${name} refuses a good input: ${shown(good)}`);
    }
  }
  const mutation = new Mutation(Random.seeded(seed), seeds);
  const counts = { taken: 0, refused: 0 };
  let mostBytes = 0;
  for (let index = 0; index < inputs; index++) {
    const bytes = mutation.next();
    const { length } = bytes;
    const hex = () => `seed ${seed}, input ${index}: ${shown(bytes)}`;
    const before = v8.getHeapStatistics().external_memory;
    try {
      const verdict = decoder.decode(bytes);
      // Most decide at once: a wait for each would take longer than they do.
      counts[typeof verdict === "string" ? verdict : await verdict]++;
    } catch (error) {
      throw new FuzzFailure(`${name} threw; ${hex()}`, { cause: error });
    }
    const tookBytes = v8.getHeapStatistics().external_memory - before;
    if (tookBytes > boundBytes + BYTES_A_BYTE * length) {
      throw new FuzzFailure(`${name} took ${tookBytes} bytes for ${length}; ${hex()}`);
    }
    mostBytes = Math.max(mostBytes, tookBytes);
  }
  return { decoder: name, inputs, ...counts, mostBytes };
}

const SHOWN_BYTES = 512;

function shown(bytes: Uint8Array): string {
  const rest = bytes.length - SHOWN_BYTES;
  return bytes.subarray(0, SHOWN_BYTES).toHex() + (rest > 0 ? ` and ${rest} bytes more` : "");
}
