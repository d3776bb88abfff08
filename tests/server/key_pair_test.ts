import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { issue, makeAuthority, SERVER_DAYS } from "../../src/server/authority.ts";
import { readPair } from "../../src/server/key_pair.ts";

const authority = await makeAuthority();
const pair = await issue(authority, ["localhost"]);
const DAY_MS = 86_400_000;

/** Reads a pair from files with these texts; `CERT` and `KEY` in sentences are their paths. */
async function read(
  texts: { certificate?: string; key?: string },
  nowMs?: number,
): Promise<{ key: string } | string> {
  const { certificate = pair.certificate, key = pair.key } = texts;
  const directory = await Deno.makeTempDir();
  const names = {
    certificate: { flag: "--tls-cert", path: join(directory, "cert.pem") },
    key: { flag: "--tls-key", path: join(directory, "key.pem") },
  };
  try {
    await Deno.writeTextFile(names.certificate.path, certificate);
    await Deno.writeTextFile(names.key.path, key);
    return await readPair(names, nowMs);
  } catch (error) {
    assert.ok(error instanceof Error && error.name === "ConfigError", String(error));
    return error.message.replaceAll(names.certificate.path, "CERT")
      .replaceAll(names.key.path, "KEY");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const other = await issue(authority, ["localhost"]);
const locked = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" },
}).privateKey;

const short = generateKeyPairSync("rsa", {
  modulusLength: 1024,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
}).privateKey;

const mistakes:
  readonly (readonly [what: string, texts: Parameters<typeof read>[0], said: string])[] = [
    [
      "a certificate that is none",
      { certificate: "hello" },
      "--tls-cert names CERT, which holds " +
      "no certificate in PEM; name one that does",
    ],
    ["a broken certificate", {
      certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }, "--tls-cert names CERT, which holds no certificate in PEM; name one that does"],
    [
      "files that are exchanged",
      { certificate: pair.key, key: pair.certificate },
      "--tls-cert " +
      "names CERT, which holds no certificate in PEM; name one that does",
    ],
    [
      "a key that is none",
      { key: pair.certificate },
      "--tls-key names KEY, which holds no " +
      "private key in PEM; name one that does",
    ],
    [
      "a key with a passphrase",
      { key: locked },
      "--tls-key names KEY, whose key has a " +
      "passphrase; write it without: openssl pkey -in KEY -out FILE",
    ],
    [
      "a key that is too short",
      { key: short },
      "--tls-key names KEY, whose kind of key not every client's TLS takes; use ECDSA P-256 or " +
      "P-384, Ed25519, or RSA of at least 2048 bits",
    ],
    [
      "an older key with a passphrase",
      {
        key:
          "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n" +
          "AAAA\n-----END EC PRIVATE KEY-----\n",
      },
      "--tls-key names KEY, whose key has a passphrase; write it without: openssl pkey -in KEY " +
      "-out FILE",
    ],
    [
      "the key of another certificate",
      { key: other.key },
      "--tls-key names KEY, whose key is not " +
      "that of the first certificate in CERT; name a pair, the server's own certificate before " +
      "those that vouch for it",
    ],
    [
      "a chain that begins with the authority",
      {
        certificate: authority.certificate + pair.certificate,
      },
      "--tls-key names KEY, whose key is not that of the first certificate in CERT; name a pair, " +
      "the server's own certificate before those that vouch for it",
    ],
  ];

for (const [what, texts, said] of mistakes) {
  Deno.test(`readPair() refuses ${what} in one sentence`, async () => {
    assert.equal(await read(texts), said);
  });
}

Deno.test("readPair() refuses a certificate that has expired, and one that is not valid yet", async () => {
  const later = Date.now() + SERVER_DAYS * DAY_MS;
  assert.match(
    String(await read({}, later)),
    /^--tls-cert names CERT, which expired on \d{4}-\d\d-\d\d; renew it$/,
  );
  const earlier = Date.now() - DAY_MS;
  assert.match(
    String(await read({}, earlier)),
    /^--tls-cert names CERT, which is valid from .* on only/,
  );
});

Deno.test("readPair() names a file that is not there", async () => {
  const name = { flag: "--tls-cert", path: "/nowhere/cert.pem" };
  await assert.rejects(readPair({ certificate: name, key: name }), {
    name: "ConfigError",
    message: "--tls-cert names /nowhere/cert.pem, but there is no such file; name a file",
  });
});

Deno.test("readPair() takes a chain, and makes PKCS #8 of any key", async () => {
  const read1 = await read({ certificate: pair.certificate + authority.certificate });
  assert.ok(typeof read1 !== "string" && read1.key.startsWith("-----BEGIN PRIVATE KEY-----"));
  const { createPrivateKey } = await import("node:crypto");
  const sec1 = createPrivateKey(pair.key).export({ type: "sec1", format: "pem" }).toString();
  assert.match(sec1, /^-----BEGIN EC PRIVATE KEY-----/);
  const read2 = await read({ key: sec1 });
  assert.ok(typeof read2 !== "string" && read2.key === read1.key);
});
