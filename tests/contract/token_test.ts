import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Bearer,
  createToken,
  createTokenKey,
  isRefused,
  proveToken,
  readProof,
  readToken,
} from "../../src/contract/token.ts";
import { FOREIGN, NOW_MS, OTHER, RULE, tokenFor } from "../support/tokens.ts";

const connecting = {
  federation: "default",
  clientId: "client-1",
  nonce: new Uint8Array(16).fill(1),
};

function bearer(result: Bearer | { detail: string }): Bearer {
  assert.ok(!isRefused(result), JSON.stringify(result));
  return result;
}

function detail(result: Bearer | { detail: string }): string {
  assert.ok(isRefused(result));
  return result.detail;
}

Deno.test("createToken() makes a JWT that readToken() takes for its client", () => {
  const { token, claims } = createToken(RULE, {
    clientId: "client-1",
    nowMs: NOW_MS,
    lifetimeMs: 60_000,
  });
  const [header = "", body = ""] = token.split(".");
  assert.deepEqual(JSON.parse(atob(header)), { alg: "HS256", typ: "JWT" });
  assert.deepEqual(JSON.parse(atob(body)), claims);
  assert.equal(claims.exp, NOW_MS / 1000 + 60);
  const { clientId, expiresMs } = bearer(readToken(token, RULE, "client-1"));
  assert.deepEqual([clientId, expiresMs], ["client-1", NOW_MS + 60_000]);
});

Deno.test("a token is signed as WebCrypto signs: HMAC-SHA-256 of header and claims", async () => {
  const [header, body, signature = ""] = tokenFor("client-1").split(".");
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const raw = new Uint8Array(RULE.key);
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
  const bytes = Uint8Array.fromBase64(signature, { alphabet: "base64url" });
  const signed = new TextEncoder().encode(`${header}.${body}`);
  assert.ok(await crypto.subtle.verify("HMAC", key, bytes, signed));
});

Deno.test("readToken() refuses another client's, federation's and server's token, and says which", () => {
  assert.match(detail(readToken(tokenFor("client-2"), RULE, "client-1")), /client-2/);
  assert.match(detail(readToken(tokenFor("client-1", { rule: OTHER }), RULE, "client-1")), /other/);
  const foreign = tokenFor("client-1", { rule: FOREIGN });
  assert.match(detail(readToken(foreign, RULE, "client-1")), /key/);
});

Deno.test("a token that was made up to its client's revocation is refused, a later one and others are not", () => {
  const untilS = NOW_MS / 1000;
  const rule = { ...RULE, revoked: new Map([["client-1", untilS]]) };
  const made = (atMs: number, clientId = "client-1") => tokenFor(clientId, { nowMs: atMs });
  assert.match(detail(readToken(made(NOW_MS - 1000), rule, "client-1")), /revoked; ask/);
  assert.match(detail(readToken(made(NOW_MS), rule, "client-1")), /revoked/);
  assert.equal(bearer(readToken(made(NOW_MS + 1000), rule, "client-1")).issuedS, untilS + 1);
  bearer(readToken(made(NOW_MS, "client-2"), rule, "client-2"));
  const { proven } = proveToken(made(NOW_MS), connecting);
  assert.match(detail(readProof(proven, rule, connecting)), /revoked/);
  bearer(readProof(proven, RULE, connecting));
});

Deno.test("readToken() lets no token choose how it is judged", () => {
  const [, body] = tokenFor("client-1").split(".");
  const none = btoa('{"alg":"none"}').replaceAll("=", "");
  assert.match(detail(readToken(`${none}.${body}.`, RULE, "client-1")), /none/);
});

Deno.test("readToken() refuses whatever differs in one character", () => {
  const token = tokenFor("client-1");
  fc.assert(fc.property(fc.nat(token.length - 1), fc.base64String(), (at, noise) => {
    const other = noise[0] ?? "A";
    if (token[at] === other) return;
    const changed = token.slice(0, at) + other + token.slice(at + 1);
    assert.ok(isRefused(readToken(changed, RULE, "client-1")));
  }));
});

Deno.test("readToken() and readProof() never throw", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
    assert.ok(isRefused(readToken(text, RULE, "client-1")));
    assert.ok(isRefused(readToken(`${text}.${text}.${text}`, RULE, "client-1")));
    assert.ok(isRefused(readProof(text, RULE, connecting)));
  }));
});

Deno.test("proveToken() keeps the signature, and what it gives is no token", () => {
  const token = tokenFor("client-1");
  const { proven, signature } = proveToken(token, connecting);
  assert.equal(
    token.endsWith(signature.toBase64({ alphabet: "base64url", omitPadding: true })),
    true,
  );
  assert.ok(isRefused(readToken(proven, RULE, "client-1")));
  assert.deepEqual(bearer(readProof(proven, RULE, connecting)).signature, signature);
});

Deno.test("readProof() takes a proof for its federation, client and nonce alone", () => {
  const { proven } = proveToken(tokenFor("client-1"), connecting);
  for (
    const other of [
      { ...connecting, clientId: "client-2" },
      { ...connecting, nonce: new Uint8Array(16).fill(2) },
    ]
  ) assert.ok(isRefused(readProof(proven, RULE, other)));
  assert.ok(isRefused(readProof(proven, { ...RULE, key: createTokenKey() }, connecting)));
  const elsewhere = { ...RULE, federation: "other" };
  assert.ok(isRefused(readProof(proven, elsewhere, { ...connecting, federation: "other" })));
});
