/**
 * Tokens: a JWT (RFC 7519) with an HMAC-SHA-256 signature, by which a client proves its id. Written here
 * and not taken from a library: judging one must not wait, as messages are judged in their order, and a
 * token that was sent sealed has no signature that a library could check.
 */

import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { authenticated, type Connecting } from "./seal.ts";

export const TOKEN_KEY_BYTES = 32;
/** A longer one is not looked at. */
const MOST_CHARACTERS = 4096;
const HEADER = { alg: "HS256", typ: "JWT" } as const;

/** What a token says. */
export interface Claims {
  /** The client's id. */
  readonly sub: string;
  /** The federation's name. */
  readonly aud: string;
  /** Seconds since 1970, by the server's clock. */
  readonly iat: number;
  readonly exp?: number;
  readonly jti: string;
}

/** By client: the second since 1970 up to which its tokens are void, whatever they say. */
export type Revocations = ReadonlyMap<string, number>;

/** Who may take part, as every protocol server is told. */
export interface TokenRule {
  readonly key: Uint8Array;
  readonly federation: string;
  /** As the operator goes on revoking, a newer one takes its place. */
  revoked?: Revocations;
}

/** Whom a token stands for. */
export interface Bearer {
  readonly clientId: string;
  /** Seconds since 1970; 0 where the token does not say when it was made. */
  readonly issuedS: number;
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresMs: number | undefined;
  /** The token's, which the bearer alone shares with the server. */
  readonly signature: Uint8Array;
}

/** Why a token that was good is so no longer. */
export type VoidCause = "expired" | "revoked";

/** What is said of who had one. */
export const VOIDED: Readonly<Record<VoidCause, string>> = {
  expired: "the client's token has expired",
  revoked: "the client's token has been revoked",
};

/** A token that is not taken; `detail` says what to do. */
export interface Refusal {
  readonly detail: string;
}

export function createTokenKey(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(randomBytes(TOKEN_KEY_BYTES));
}

/** A token for one client of one federation. */
export function createToken(
  { key, federation }: TokenRule,
  { clientId, nowMs, lifetimeMs }: {
    clientId: string;
    nowMs: number;
    lifetimeMs: number | undefined;
  },
): { token: string; claims: Claims } {
  const iat = Math.floor(nowMs / 1000);
  const claims: Claims = {
    sub: clientId,
    aud: federation,
    iat,
    ...(lifetimeMs === undefined ? {} : { exp: iat + Math.ceil(lifetimeMs / 1000) }),
    jti: randomBytes(16).toString("hex"),
  };
  const signed = `${encoded(HEADER)}.${encoded(claims)}`;
  return { token: `${signed}.${signatureOf(signed, key).toString("base64url")}`, claims };
}

/** Judges a token as it was made. It may have expired: see `expiry`. */
export function readToken(token: string, rule: TokenRule, clientId: string): Bearer | Refusal {
  const parts = partsOf(token);
  if (parts === undefined) return MISSHAPEN;
  const expected = signatureOf(parts.signed, rule.key);
  if (!same(expected, parts.last)) return FOREIGN;
  return bearerOf(parts.claims, rule, { clientId, signature: expected });
}

/** Judges a token that has a proof in the place of its signature. */
export function readProof(
  token: string,
  rule: TokenRule,
  connecting: Connecting,
): Bearer | Refusal {
  const parts = partsOf(token);
  if (parts === undefined) return MISSHAPEN;
  const signature = signatureOf(parts.signed, rule.key);
  if (!same(proofOf(signature, connecting), parts.last)) return FOREIGN;
  return bearerOf(parts.claims, rule, { clientId: connecting.clientId, signature });
}

/**
 * What a client sends in the place of its token where others may read it, and the signature that it keeps.
 * @throws {TypeError} for what is no token.
 */
export function proveToken(
  token: string,
  connecting: Connecting,
): { proven: string; signature: Uint8Array } {
  const parts = partsOf(token);
  if (parts === undefined) {
    throw new TypeError("The token is none; copy all of what `tributary token create` prints");
  }
  const { signed, last: signature } = parts;
  const proof = proofOf(signature, connecting).toString("base64url");
  return { proven: `${signed}.${proof}`, signature };
}

/** The client whose token it says it is, which the server alone can judge; undefined for what is no token. */
export function holderOf(token: string): string | undefined {
  return partsOf(token)?.claims.sub;
}

/** Why a token that expired is refused. */
export const EXPIRED: Refusal = {
  detail: "the token has expired; ask the operator for a new one (`tributary token create`)",
};

/** Why a token that its operator has taken back is refused. */
export const REVOKED: Refusal = {
  detail: "the token has been revoked; ask the operator for a new one (`tributary token create`)",
};

/** Whether the operator has taken back what its bearer shows. */
export function isRevoked(
  { clientId, issuedS }: Pick<Bearer, "clientId" | "issuedS">,
  revoked: Revocations | undefined,
): boolean {
  const untilS = revoked?.get(clientId);
  return untilS !== undefined && issuedS <= untilS;
}

const MISSHAPEN: Refusal = {
  detail: "the token is none; copy all of what `tributary token create` prints",
};
const FOREIGN: Refusal = {
  detail: "the token was not made with this server's key; ask its operator for one",
};

export function isRefused<Taken extends object>(result: Taken | Refusal): result is Refusal {
  return "detail" in result;
}

function bearerOf(
  claims: Claims,
  { federation, revoked }: TokenRule,
  { clientId, signature }: { clientId: string; signature: Uint8Array },
): Bearer | Refusal {
  if (claims.aud !== federation) {
    return { detail: `the token is for the federation ${claims.aud}, this is ${federation}` };
  }
  if (claims.sub !== clientId) {
    return { detail: `the token is of the client ${claims.sub}; join under that id` };
  }
  const expiresMs = claims.exp === undefined ? undefined : claims.exp * 1000;
  const issuedS = typeof claims.iat === "number" ? claims.iat : 0;
  const bearer = { clientId, issuedS, expiresMs, signature };
  return isRevoked(bearer, revoked) ? REVOKED : bearer;
}

interface Parts {
  /** What the signature is of: header and claims. */
  readonly signed: string;
  readonly claims: Claims;
  /** The signature, or a proof. */
  readonly last: Buffer;
}

function partsOf(token: string): Parts | undefined {
  if (token.length > MOST_CHARACTERS) return undefined;
  const [header = "", body = "", last = "", ...more] = token.split(".");
  if (more.length > 0 || !isBase64Url(last)) return undefined;
  const claims = decoded(body);
  // One algorithm only: a token does not choose how it is judged (RFC 8725 §3.1).
  if (decoded(header)?.alg !== HEADER.alg || claims === undefined || !areClaims(claims)) {
    return undefined;
  }
  return { signed: `${header}.${body}`, claims, last: Buffer.from(last, "base64url") };
}

function areClaims(value: Record<string, unknown>): value is Record<string, unknown> & Claims {
  const { sub, aud, exp } = value;
  return typeof sub === "string" && typeof aud === "string" &&
    (exp === undefined || typeof exp === "number" && Number.isFinite(exp));
}

function isBase64Url(text: string): boolean {
  if (!/^[\w-]*$/.test(text)) return false; // Deno 2.6 throws for others
  return Buffer.from(text, "base64url").toString("base64url") === text;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decoded(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function signatureOf(signed: string, key: Uint8Array): Buffer {
  return createHmac("sha256", key).update(signed).digest();
}

function proofOf(signature: Uint8Array, connecting: Connecting): Buffer {
  return Buffer.from(authenticated(signature, "proof", connecting));
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
