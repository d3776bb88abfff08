/** Tells while a server runs that a certificate which it proves itself by runs out. */

import { X509Certificate } from "node:crypto";
import type { Config } from "../config.ts";
import type { TlsOptions } from "../contract/tls.ts";
import type { Clock, Timer } from "../coordinator/clock.ts";
import type { CertificateState } from "../events.ts";
import { LEAST_LEFT_MS } from "./certificate.ts";

const DAY_MS = 86_400_000;
/** Time enough to get another one. */
export const SOON_MS = 14 * DAY_MS;
/** How often it is looked at; what is soon to be done is said once a day. */
export const LOOK_MS = 3_600_000;

/** One that a server uses. */
export interface UsedCertificate {
  /** Of which section of the settings. */
  readonly section: "tls" | "quic";
  /** PEM. */
  readonly certificate: string;
  /** Made by the server, which makes another one when it is started with little time left. */
  readonly isOurs: boolean;
}

/** @param certified The configuration with QUIC's certificate as text. */
export function usedCertificates(
  { protocols, quic: { certificate: path } }: Config,
  certified: Config,
  tls: TlsOptions | undefined,
): UsedCertificate[] {
  const used: UsedCertificate[] = [];
  if (tls !== undefined) {
    used.push({ section: "tls", certificate: tls.certificate, isOurs: false });
  }
  // Where there is none of its own, QUIC has that of the TCP wires.
  if (protocols.includes("quic") && (path !== "" || tls === undefined)) {
    const { certificate } = certified.quic;
    used.push({ section: "quic", certificate, isOurs: path === "" });
  }
  return used;
}

/** Milliseconds until the first certificate of a PEM text expires; negative once it has. */
export function leftOf(certificate: string, nowMs: number): number {
  return Date.parse(new X509Certificate(certificate).validTo) - nowMs;
}

export interface CertificateWatchOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970: certificates have dates. */
  readonly dateMs?: () => number;
  readonly tell: (state: CertificateState) => void;
}

export class CertificateWatch implements Disposable {
  readonly #options: CertificateWatchOptions;
  readonly #told = new Map<UsedCertificate, { standing: string; atMs: number }>();
  readonly #used: readonly UsedCertificate[];
  #timer: Timer | undefined;

  constructor(used: readonly UsedCertificate[], options: CertificateWatchOptions) {
    this.#used = used;
    this.#options = options;
    this.#look();
  }

  #look(): void {
    const { clock, dateMs = Date.now } = this.#options;
    for (const each of this.#used) this.#lookAt(each, dateMs());
    this.#timer = clock.after(LOOK_MS, () => this.#look());
  }

  #lookAt(used: UsedCertificate, nowMs: number): void {
    const { section, certificate, isOurs } = used;
    const leftMs = leftOf(certificate, nowMs);
    const soonMs = isOurs ? LEAST_LEFT_MS : SOON_MS;
    const standing = leftMs <= 0 ? "expired" : leftMs < soonMs ? "soon" : "good";
    const told = this.#told.get(used);
    const isNews = told?.standing !== standing;
    const isDue = standing !== "good" && nowMs - (told?.atMs ?? 0) >= DAY_MS;
    if (!isNews && !isDue) return;
    this.#told.set(used, { standing, atMs: nowMs });
    this.#options.tell({
      certificate: section,
      standing,
      expires: new Date(nowMs + leftMs).toISOString(),
      ...(standing === "good" ? {} : { todo: isOurs ? RESTART : RENEW }),
    });
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }
}

const RENEW = "get its successor, and start the server again";
const RESTART =
  "start the server again, which makes another one, and give clients the address that it prints";
