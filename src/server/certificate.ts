/** The server's certificates: the operator's files; for QUIC otherwise one that is kept with the run. */

import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { ConfigError } from "../config/config_error.ts";
import type { Certificate, TlsOptions } from "../contract/tls.ts";
import { readPair } from "./key_pair.ts";

/** QUIC's own in a state directory: both in one file, the certificate first. */
export const KEPT_FILE = "quic.pem";
/** A kept certificate with less than this left is made anew, and with it the address. */
export const LEAST_LEFT_MS = 24 * 3600 * 1000;
const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----\n?/g;

/**
 * What the TCP wires speak TLS with, as text: Workers read no files.
 * @throws {ConfigError} for files that cannot be used.
 */
export async function readTls({ tls }: Config): Promise<TlsOptions | undefined> {
  const { cert, key, handshakeTimeoutMs } = tls;
  if (cert === undefined || key === undefined) return undefined;
  const pair = await readPair({
    certificate: { flag: "--tls-cert", path: cert },
    key: { flag: "--tls-key", path: key },
  });
  return { ...pair, handshakeTimeoutMs };
}

/**
 * The configuration with QUIC's certificate and key as text: its own, else that of the TCP wires,
 * else a self-signed one. A Worker that is started again must come back with the same one, as
 * addresses name its hash.
 * @param ours Resolves when the state directory is this server's: nothing is kept there before.
 * @throws {ConfigError} for files that cannot be used.
 * @throws whatever `ours` rejects with.
 */
export async function withCertificate(
  config: Config,
  tls?: Certificate,
  ours: Promise<unknown> = Promise.resolve(),
): Promise<Config> {
  if (!config.protocols.includes("quic")) return config;
  const { quic } = config;
  if (quic.certificate !== "") {
    const pair = await readPair({
      certificate: { flag: "--quic-certificate", path: quic.certificate },
      key: { flag: "--quic-key", path: quic.key },
    });
    return { ...config, quic: { ...quic, ...pair } };
  }
  if (tls !== undefined) {
    const { certificate, key } = tls;
    return { ...config, quic: { ...quic, certificate, key } };
  }
  const kept = config.state === undefined ? undefined : await readFresh(config.state);
  if (kept !== undefined) return { ...config, quic: { ...quic, ...kept } };
  const { withCertificate: selfSigned } = await import("../protocols/quic/certificate.ts");
  const own = await selfSigned(quic);
  await ours;
  if (config.state !== undefined) await keep(config.state, own);
  return { ...config, quic: own };
}

async function readFresh(directory: string): Promise<Certificate | undefined> {
  const kept = await readKept(directory);
  if (kept === undefined) return undefined;
  const leftMs = Date.parse(new X509Certificate(kept.certificate).validTo) - Date.now();
  return leftMs < LEAST_LEFT_MS ? undefined : kept;
}

/**
 * The pair that a state directory holds, however old; undefined where there is none.
 * @throws {ConfigError} for one that cannot be read.
 */
export async function readKept(directory: string): Promise<Certificate | undefined> {
  const path = join(directory, KEPT_FILE);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory) return undefined; // the vault refuses it
    throw unusable(`QUIC's certificate ${path} cannot be read`, error);
  }
  const [certificate, key] = text.match(PEM_BLOCK) ?? [];
  if (certificate === undefined || key === undefined) return undefined; // cut short: made anew
  return { certificate, key };
}

async function keep(directory: string, { certificate, key }: Certificate): Promise<void> {
  const path = join(directory, KEPT_FILE);
  const text = `${certificate.trimEnd()}\n${key.trimEnd()}\n`;
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(`${path}.new`, text, { mode: 0o600 });
    await Deno.rename(`${path}.new`, path);
  } catch (error) {
    throw unusable(`QUIC's certificate cannot be kept as ${path}`, error);
  }
}

function unusable(what: string, error: unknown): ConfigError {
  const reason = error instanceof Error ? error.message : String(error);
  const todo = "make room there, give this user the right to it, or choose another --state";
  return new ConfigError([`${what}: ${reason}; ${todo}`], { cause: error });
}
