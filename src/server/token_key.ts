/** The key of the tokens: the operator's file, or one that is kept with the run. */

import { join } from "node:path";
import type { Config } from "../config.ts";
import { ConfigError } from "../config/config_error.ts";
import { createTokenKey, TOKEN_KEY_BYTES, type TokenRule } from "../contract/token.ts";
import { readNamedFile } from "./named_file.ts";
import { placeFile } from "./placed_file.ts";
import { readRevocations } from "./revocations.ts";

const FILE_NAME = "token.key";

export interface KeyPlace {
  readonly state?: string | undefined;
  readonly tokenKey?: string | undefined;
}

/**
 * What clients' tokens are judged by; undefined where none are asked for.
 * @throws {ConfigError} for a key that cannot be used.
 */
export async function tokenRule(config: Config): Promise<TokenRule | undefined> {
  if (config.tokens === "off") return undefined;
  const revoked = config.state === undefined ? new Map() : await readRevocations(config.state);
  return { key: await openTokenKey(config), federation: config.name, revoked };
}

/**
 * Reads the key. In a state directory it is made where there is none yet.
 * @throws {ConfigError} for a key that cannot be used, or a place that is not named.
 */
export async function openTokenKey({ state, tokenKey }: KeyPlace): Promise<Uint8Array> {
  if (tokenKey !== undefined) {
    return checked(await readNamedFile("--token-key", tokenKey), tokenKey);
  }
  if (state === undefined) {
    throw new ConfigError(["Tokens need a key: name --state or --token-key"]);
  }
  const path = join(state, FILE_NAME);
  const kept = await read(path) ?? await make(state, path);
  return checked(kept, path);
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unusable(path, error);
  }
}

/** Never in the place of another: `serve` and `token` may both make one. */
async function make(state: string, path: string): Promise<Uint8Array> {
  const key = createTokenKey();
  try {
    await Deno.mkdir(state, { recursive: true, mode: 0o700 });
    await placeFile(state, FILE_NAME, key);
    return key;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return await Deno.readFile(path);
    throw unusable(path, error);
  }
}

function checked(key: Uint8Array, path: string): Uint8Array {
  if (key.length === TOKEN_KEY_BYTES) return key;
  throw new ConfigError([
    `${path} has ${key.length} bytes, but a token key has ${TOKEN_KEY_BYTES}; make one with ` +
    `\`head -c ${TOKEN_KEY_BYTES} /dev/urandom\``,
  ]);
}

function unusable(path: string, error: unknown): ConfigError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ConfigError(
    [`The token key ${path} cannot be used: ${reason}; name another by --token-key or --state`],
    { cause: error },
  );
}
