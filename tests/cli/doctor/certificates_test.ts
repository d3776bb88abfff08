import "reflect-metadata"; // @peculiar/x509 needs it loaded first
import { X509CertificateGenerator } from "@peculiar/x509";
import assert from "node:assert/strict";
import { join } from "node:path";
import { checkCertificates } from "../../../src/cli/doctor/certificates.ts";
import { readConfig } from "../../../src/config.ts";
import { withCertificate } from "../../../src/server/certificate.ts";
import { StateDirectory } from "../../vault/state_directory.ts";

const DAY_MS = 86_400_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A pair in two files that is good for so many days from now, or was. */
async function pairFor(days: number, directory: string): Promise<Record<string, string>> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=localhost",
    notBefore: new Date(Date.now() - 100 * DAY_MS),
    notAfter: new Date(Date.now() + days * DAY_MS + DAY_MS / 2),
    signingAlgorithm: ALGORITHM,
    keys,
  });
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toBase64();
  const flags = { "tls-cert": join(directory, "cert.pem"), "tls-key": join(directory, "key.pem") };
  const label = "PRIVATE KEY";
  await Deno.writeTextFile(flags["tls-cert"], certificate.toString("pem"));
  await Deno.writeTextFile(
    flags["tls-key"],
    `-----BEGIN ${label}-----\n${key.match(/.{1,64}/g)?.join("\n")}\n-----END ${label}-----\n`,
  );
  return flags;
}

async function found(flags: Record<string, string | boolean>, nowMs?: number) {
  const { config } = readConfig({ flags: { protocols: "mqtt,quic", ...flags } });
  return await checkCertificates(config, nowMs);
}

for (
  const [days, state, seen] of [
    [90, "ok", / expires in 90 days$/],
    [5, "warning", / expires in 5 days$/],
    [0, "warning", / expires in less than a day$/],
    [-2, "failed", /--tls-cert names .* which expired on \d{4}-\d\d-\d\d$/],
  ] as const
) {
  Deno.test(`checkCertificates() finds ${state} a certificate that has ${days} days left`, async () => {
    using directory = new StateDirectory();
    const [finding, ...more] = await found(await pairFor(days, directory.path));
    assert.equal(more.length, 0); // QUIC uses the same
    assert.equal(finding?.state, state);
    assert.match(finding?.seen ?? "", seen);
    assert.equal(finding?.todo === "", state === "ok");
  });
}

Deno.test("checkCertificates() finds a key that belongs to another certificate", async () => {
  using directory = new StateDirectory();
  using other = new StateDirectory();
  const flags = await pairFor(90, directory.path);
  const { "tls-key": key = "" } = await pairFor(90, other.path);
  const [finding] = await found({ ...flags, "tls-key": key });
  assert.equal(finding?.state, "failed");
  assert.match(finding?.seen ?? "", /whose key is not that of/);
});

Deno.test("checkCertificates() looks at the certificate that QUIC keeps, and makes none", async () => {
  using directory = new StateDirectory();
  const flags = { protocols: "quic", state: directory.path };
  const [absent] = await found(flags);
  assert.deepEqual([absent?.state, absent?.seen], ["ok", "made at the first start, for 14 days"]);
  assert.deepEqual(directory.files(), []);
  await withCertificate(readConfig({ flags }).config);
  const [fresh] = await found(flags);
  assert.match(fresh?.seen ?? "", /quic\.pem expires in 13 days$/);
  const [old] = await found(flags, Date.now() + 13.5 * DAY_MS);
  assert.deepEqual([old?.state, /address/.test(old?.todo ?? "")], ["warning", true]);
  const [expired] = await found(flags, Date.now() + 20 * DAY_MS);
  assert.match(expired?.seen ?? "", /quic\.pem has expired$/);
});
