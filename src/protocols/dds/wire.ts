/**
 * Names on the wire: topics, partitions and addresses. Pure, no I/O.
 *
 * DDS has no code in which a reader could tell a writer its verdict: it acknowledges samples, never
 * their meaning. So the Receipt alone carries it, and there is no table of codes here.
 */

import { isClientId } from "../../contract/client_id.ts";
import { shownUrl } from "../../contract/shown_url.ts";

export const TOPIC_UP = "fl_up";
export const TOPIC_DOWN = "fl_down";

const LONGEST_CLIENT_ID = "x".repeat(64);

const LOOPBACK = /^127\./;

/** Both topics' partition of one client. */
export function partitionOf(federation: string, clientId: string): string {
  return `${segment(federation)}/${clientId}`;
}

/** The partition in which a server reads all its clients. */
export function everyClientOf(federation: string): string {
  return `${segment(federation)}/*`;
}

/** Whose partition it is; undefined where it is nobody's in this federation. */
export function clientOf(federation: string, partition: string): string | undefined {
  const prefix = `${segment(federation)}/`;
  const clientId = partition.slice(prefix.length);
  return partition.startsWith(prefix) && isClientId(clientId) ? clientId : undefined;
}

/** The federation's name as in the URL, and without what partitions take for wildcards. */
function segment(federation: string): string {
  return encodeURIComponent(federation).replaceAll("*", "%2A");
}

/** `dds://host:port/federation?domain=…`: what a client must know to find a server. */
export interface DdsAddress {
  readonly hostname: string;
  readonly port: number;
  readonly federation: string;
  /** The domain's number, 0 unless given. */
  readonly domain: number;
}

export function urlOf({ hostname, port, federation, domain }: DdsAddress): string {
  const query = domain === 0 ? "" : `?domain=${domain}`;
  return `dds://${hostname}:${port}/${encodeURIComponent(federation)}${query}`;
}

/** @throws {TypeError} when the URL is no address of this wire; its message says what to change. */
export function addressOf(url: URL): DdsAddress {
  const federation = decoded(url.pathname.slice(1));
  const domain = Number(url.searchParams.get("domain") ?? 0);
  if (url.protocol !== "dds:" || url.hostname === "" || url.port === "") {
    throw new TypeError(`Cannot dial ${shownUrl(url)}: write dds://host:port/federation`);
  }
  if (federation === undefined || federation === "") {
    throw new TypeError(
      `Cannot dial ${shownUrl(url)}: name the federation, as in dds://host:port/default`,
    );
  }
  if (!Number.isInteger(domain) || domain < 0 || domain > 232) {
    throw new TypeError(`Cannot dial ${shownUrl(url)}: domain must be 0 to 232`);
  }
  return { hostname: url.hostname, port: Number(url.port), federation, domain };
}

/** Whether a host is this machine, to be reached by no network interface but its own. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || LOOPBACK.test(hostname);
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** The longest sample with a body of at most so many bytes. */
export function maxSampleBytes(maxBodyBytes: number): number {
  return sampleBytes(LONGEST_CLIENT_ID, maxBodyBytes);
}

/**
 * Length of a sample as CDR: header; the key's length, text, zero and padding to 8; seq; the body's
 * length and the body.
 */
export function sampleBytes(clientId: string, bodyBytes: number): number {
  const keyBytes = Math.ceil((4 + clientId.length + 1) / 8) * 8;
  return 4 + keyBytes + 8 + 4 + bodyBytes;
}
