/** A certificate and its key as the operator names them: read, checked, and of one form. */

import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { ConfigError } from "../config/config_error.ts";
import type { Certificate } from "../contract/tls.ts";
import { readNamedFile } from "./named_file.ts";

/** What the operator named, and by which flag. */
export interface NamedFile {
  readonly flag: string;
  readonly path: string;
}

/**
 * The pair as text, the key as PKCS #8 whatever it was.
 * @throws {ConfigError} with one sentence that says what to change.
 */
export async function readPair(
  names: { readonly certificate: NamedFile; readonly key: NamedFile },
  nowMs = Date.now(),
): Promise<Certificate> {
  const decoder = new TextDecoder();
  const read = async ({ flag, path }: NamedFile) => decoder.decode(await readNamedFile(flag, path));
  const certificate = await read(names.certificate);
  const own = certificateIn(certificate, names.certificate);
  const key = keyIn(await read(names.key), names.key);
  if (!isTaken(key)) {
    throw mistake(
      names.key,
      "whose kind of key not every client's TLS takes; use ECDSA P-256 or P-384, Ed25519, or RSA " +
        "of at least 2048 bits",
    );
  }
  if (!keyOf(own).equals(createPublicKey(key).export(SPKI))) {
    throw mistake(
      names.key,
      `whose key is not that of the first certificate in ${names.certificate.path}; name a pair, ` +
        "the server's own certificate before those that vouch for it",
    );
  }
  if (nowMs >= Date.parse(own.validTo)) {
    throw mistake(names.certificate, `which expired on ${dayOf(own.validTo)}; renew it`);
  }
  if (nowMs < Date.parse(own.validFrom)) {
    throw mistake(
      names.certificate,
      `which is valid from ${dayOf(own.validFrom)} on only; set this machine's clock, or wait`,
    );
  }
  return { certificate, key: key.export({ type: "pkcs8", format: "pem" }).toString() };
}

const SPKI = { type: "spki", format: "der" } as const;

function certificateIn(text: string, name: NamedFile): X509Certificate {
  try {
    if (text.includes("-----BEGIN CERTIFICATE-----")) return new X509Certificate(text);
  } catch {
    // Said below.
  }
  throw mistake(name, "which holds no certificate in PEM; name one that does");
}

function keyIn(text: string, name: NamedFile): KeyObject {
  // RFC 7468 §11, and RFC 1421 as OpenSSL's older files have it.
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw mistake(
      name,
      "whose key has a passphrase; write it without: " +
        `openssl pkey -in ${name.path} -out FILE`,
    );
  }
  try {
    if (text.includes("PRIVATE KEY-----")) return createPrivateKey(text);
  } catch {
    // Said below: what the library says could quote the key.
  }
  throw mistake(name, "which holds no private key in PEM; name one that does");
}

/** P-256 and P-384, as OpenSSL, NIST and Deno 2.6 call them. */
const CURVES: ReadonlySet<string> = new Set([
  ...["prime256v1", "secp256r1", "P-256", "p256"],
  ...["secp384r1", "P-384", "p384"],
]);

/** By Deno's TLS, and by the libraries of clients. */
function isTaken({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { namedCurve = "", modulusLength = 0 } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case "ec":
      return CURVES.has(namedCurve);
    case "rsa":
      return modulusLength >= 2048;
    default:
      return asymmetricKeyType === "ed25519";
  }
}

function keyOf(certificate: X509Certificate) {
  return certificate.publicKey.export(SPKI);
}

function dayOf(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}

function mistake({ flag, path }: NamedFile, what: string): ConfigError {
  return new ConfigError([`${flag} names ${path}, ${what}`]);
}
