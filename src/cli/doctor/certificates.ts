/** How old the certificates are that a server of this configuration proves itself by. */

import { join } from "node:path";
import type { Config } from "../../config.ts";
import { ConfigError } from "../../config/config_error.ts";
import { KEPT_FILE, LEAST_LEFT_MS, readKept, readTls } from "../../server/certificate.ts";
import { leftOf, SOON_MS } from "../../server/certificate_watch.ts";
import { readPair } from "../../server/key_pair.ts";
import { failedAs, type Finding, ok, warning } from "./finding.ts";

const DAY_MS = 86_400_000;

export async function checkCertificates(config: Config, nowMs = Date.now()): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { tls, quic } = config;
  if (tls.cert !== undefined) {
    const pair = readTls(config);
    findings.push(await given({ check: "certificate tls", path: tls.cert, nowMs }, pair));
  }
  if (!config.protocols.includes("quic")) return findings;
  if (quic.certificate !== "") {
    const pair = readPair({
      certificate: { flag: "--quic-certificate", path: quic.certificate },
      key: { flag: "--quic-key", path: quic.key },
    }, nowMs);
    findings.push(await given({ check: "certificate quic", path: quic.certificate, nowMs }, pair));
  } else if (tls.cert === undefined) findings.push(await kept(config, nowMs));
  return findings;
}

async function given(
  { check, path, nowMs }: { check: string; path: string; nowMs: number },
  pair: Promise<{ readonly certificate: string } | undefined>,
): Promise<Finding> {
  try {
    const leftMs = leftOf((await pair)?.certificate ?? "", nowMs);
    const seen = `${path} expires in ${daysOf(leftMs)}`;
    return leftMs < SOON_MS
      ? warning(check, seen, "get its successor, and start again")
      : ok(check, seen);
  } catch (error) {
    return failedAs(check, refusalOf(error).message);
  }
}

/** The one that a server makes by itself. */
async function kept({ state, quic }: Config, nowMs: number): Promise<Finding> {
  const check = "certificate quic";
  const days = `for ${quic.certificateDays} days`;
  if (state === undefined) return ok(check, `made at each start, ${days}: there is no --state`);
  const pair = await readKept(state).catch(refusalOf);
  if (pair instanceof ConfigError) return failedAs(check, pair.message);
  if (pair === undefined) return ok(check, `made at the first start, ${days}`);
  const leftMs = leftOf(pair.certificate, nowMs);
  const seen = `${join(state, KEPT_FILE)} expires in ${daysOf(leftMs)}`;
  if (leftMs >= LEAST_LEFT_MS) return ok(check, seen);
  return warning(
    check,
    leftMs < 0 ? `${join(state, KEPT_FILE)} has expired` : seen,
    "start the server again, which makes another one, and give clients the address that it prints",
  );
}

function daysOf(leftMs: number): string {
  const days = Math.floor(leftMs / DAY_MS);
  return days === 0 ? "less than a day" : days === 1 ? "1 day" : `${days} days`;
}

/** Anything else is our bug. */
function refusalOf(error: unknown): ConfigError {
  if (error instanceof ConfigError) return error;
  throw error;
}
