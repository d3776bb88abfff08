/** Who the server proves to be: a given certificate, or a self-signed one made at start. */

import "reflect-metadata"; // @peculiar/x509 needs it loaded first
import {
  cryptoProvider,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { isIP } from "node:net";
import type { Options } from "./options.ts";

export interface Identity {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /**
   * SHA-256 of the certificate's DER: by it clients and browsers trust a self-signed one. Undefined
   * where an authority vouches for it.
   */
  readonly hash: Uint8Array<ArrayBuffer> | undefined;
}

// Browsers accept serverCertificateHashes for P-256, not for RSA (W3C WebTransport §6.9).
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
/** Client clocks may be so far behind. */
const BACKDATED_MS = 3_600_000;

cryptoProvider.set(crypto);

/**
 * The certificate of these options, or a new one.
 * @throws {TypeError} when the given certificate is no PEM certificate.
 */
export async function identityOf(own: Options): Promise<Identity> {
  if (own.certificate === "") return await selfSigned(own);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(own.certificate);
  } catch (error) {
    throw new TypeError(`Not a PEM certificate: ${String(error)}`);
  }
  const hash = await certificate.isSelfSigned() ? await sha256(certificate.rawData) : undefined;
  return { certificate: own.certificate, key: own.key, hash };
}

/**
 * The same options with a certificate in them. Called before the Worker starts, it lets a restarted
 * Worker prove to be the same server, so that addresses given out before stay good.
 */
export async function withCertificate(own: Options): Promise<Options> {
  const { certificate, key } = await identityOf(own);
  return { ...own, certificate, key };
}

async function selfSigned({ hostname, certificateDays }: Options): Promise<Identity> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const notBefore = Date.now() - BACKDATED_MS;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=tributary",
    notBefore: new Date(notBefore),
    // Both ends are part of the validity (RFC 5280 §4.1.2.5): a second more would be too long.
    notAfter: new Date(notBefore + certificateDays * DAY_MS - 1000),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        ...(isIP(hostname) === 0 ? [] : [{ type: "ip" as const, value: hostname }]),
      ]),
    ],
  });
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificate: certificate.toString("pem"),
    key: pem("PRIVATE KEY", key),
    hash: await sha256(certificate.rawData),
  };
}

/** 16 random bytes in hexadecimal, positive (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x3f | 0x40;
  return bytes.toHex();
}

function pem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

async function sha256(bytes: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
