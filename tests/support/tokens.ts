/** Tokens for tests: one key, and dialling with a token made for whoever dials. */

import type { Dial } from "../../src/contract/connection.ts";
import { dialSealed } from "../../src/contract/sealed_connection.ts";
import { createToken, type TokenRule } from "../../src/contract/token.ts";

export const RULE: TokenRule = { key: new Uint8Array(32).fill(7), federation: "default" };
/** Of another server, and of another federation of this one. */
export const FOREIGN: TokenRule = { key: new Uint8Array(32).fill(8), federation: "default" };
export const OTHER: TokenRule = { key: RULE.key, federation: "other" };

export const NOW_MS = 1_900_000_000_000;

export function tokenFor(
  clientId: string,
  { rule = RULE, nowMs = Date.now(), lifetimeMs }: {
    rule?: TokenRule;
    nowMs?: number;
    lifetimeMs?: number;
  } = {},
): string {
  return createToken(rule, { clientId, nowMs, lifetimeMs }).token;
}

/** Dials as a client that has a token of its own. */
export function withToken(dial: Dial, rule = RULE): Dial {
  return (url, options) =>
    dialSealed(url, { ...options, token: tokenFor(options.clientId, { rule }) }, dial);
}

/** What a subject behind a broker has where tokens are required. */
export function sealed(dial: Dial) {
  return { wire: "sealed@broker", dial: withToken(dial), tokens: RULE, guardsItself: true };
}
