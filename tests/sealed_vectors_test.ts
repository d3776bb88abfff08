/** wire.md's vectors of tokens and sealed messages: recomputed by WebCrypto, and by what the product does. */

import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import {
  ClientMessageSchema,
  type Sealed,
  ServerMessageSchema,
} from "../src/contract/federation_pb.ts";
import { authenticated, Seal } from "../src/contract/seal.ts";
import { isRefused, proveToken, readProof, readToken } from "../src/contract/token.ts";

const wire = await Deno.readTextFile(new URL("../proto/wire.md", import.meta.url));
const range = (from: number, length: number) =>
  Uint8Array.from({ length }, (_, index) => from + index);
const [key, nonce, challenge] = [range(0x40, 32), range(0x60, 16), range(0x70, 16)];
const NONE = new Uint8Array();
const connecting = { federation: "default", clientId: "client-1", nonce };

/** A line of the block of keys; the token is broken over three. */
function said(name: string): string {
  const [, text = ""] = new RegExp(`^${name} {2,}(\\S+(?:\\n {11}\\.\\S+)*)$`, "m").exec(wire) ??
    assert.fail(`no ${name}`);
  return text.replaceAll(/\s/g, "");
}

function vector(title: string): Uint8Array<ArrayBuffer> {
  const found = new RegExp(`\\*\\*${title}\\*\\* \\([^)]*\\)[^]*?\`\`\`hex\\n([^\`]*)\`\`\``).exec(
    wire,
  );
  return Uint8Array.fromHex((found?.[1] ?? assert.fail(`no ${title}`)).replaceAll(/\s/g, ""));
}

function sealedOf(title: string, schema: "client" | "server"): Sealed {
  const { body } = schema === "client"
    ? fromBinary(ClientMessageSchema, vector(title))
    : fromBinary(ServerMessageSchema, vector(title));
  assert.ok(body.case === "sealed");
  return body.value;
}

/** By another implementation than the product's. */
async function hmac(secret: Uint8Array, ...parts: Uint8Array[]): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const raw = new Uint8Array(secret);
  const imported = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  const input = new Uint8Array(parts.flatMap((part) => [...part]));
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, input)).toHex();
}

/** lp(x) */
function lengthed(part: string | Uint8Array): Uint8Array {
  const bytes = typeof part === "string" ? new TextEncoder().encode(part) : part;
  return new Uint8Array([0, 0, 0, bytes.length, ...bytes]);
}

const signature = Uint8Array.fromHex(said("S"));

Deno.test("wire.md's token is signed by its key, for its client", async () => {
  const token = said("token");
  assert.ok(!isRefused(readToken(token, { key, federation: "default" }, "client-1")));
  const signed = new TextEncoder().encode(token.slice(0, token.lastIndexOf(".")));
  assert.equal(await hmac(key, signed), said("S"));
});

for (
  const [name, purpose, last] of [
    ["proof", "proof", undefined],
    ["up, no Q", "up", NONE],
    ["up", "up", challenge],
    ["down", "down", challenge],
  ] as const
) {
  Deno.test(`wire.md's "${name}" is what its formula gives`, async () => {
    const parts = [`tributary/1 ${purpose}`, "default", "client-1", nonce];
    const all = last === undefined ? parts : [...parts, last];
    assert.equal(await hmac(signature, ...all.map(lengthed)), said(name));
    const bound = last === undefined ? connecting : { ...connecting, challenge: last };
    assert.equal(authenticated(signature, purpose, bound).toHex(), said(name));
  });
}

for (
  const [title, schema, keyName, inner] of [
    ["Knock", "client", "up, no Q", ""],
    ["Challenge", "server", "down", ""],
    ["Hello, sealed", "client", "up", "Hello"],
    ["Receipt of the Hello, sealed", "server", "down", "Receipt of the Hello"],
    ["Last will, sealed", "client", "up, no Q", "Leave as a last will"],
  ] as const
) {
  Deno.test(`wire.md's "${title}" holds what it says, under its tag`, async () => {
    const sealed = sealedOf(title, schema);
    assert.equal(sealed.body.toHex(), inner === "" ? "" : vector(inner).toHex());
    const number = new Uint8Array(8);
    new DataView(number.buffer).setBigUint64(0, sealed.number);
    const tag = await hmac(Uint8Array.fromHex(said(keyName)), number, sealed.body);
    assert.equal(sealed.tag.toHex(), tag);
    const direction = schema === "client" ? "up" : "down";
    const connected = { ...connecting, challenge: sealed.challenge };
    assert.ok(new Seal(signature, direction, connected).proves(sealed));
    if (schema === "server") return;
    assert.equal(sealed.token, proveToken(said("token"), connecting).proven);
    assert.ok(!isRefused(readProof(sealed.token, { key, federation: "default" }, connecting)));
  });
}
