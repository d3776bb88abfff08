/** `quic://host:port/federation?hash=…`: what a client must know to reach and to trust a server. */

import { shownUrl } from "../../contract/shown_url.ts";

const HASH_BYTES = 32;

export interface QuicAddress {
  readonly hostname: string;
  readonly port: number;
  readonly federation: string;
  /** SHA-256 of the server's certificate. Without it the certificate must come from a known authority. */
  readonly hash: Uint8Array<ArrayBuffer> | undefined;
}

export function urlOf({ hostname, port, federation, hash }: QuicAddress): string {
  const query = hash === undefined
    ? ""
    : `?hash=${hash.toBase64({ alphabet: "base64url", omitPadding: true })}`;
  return `quic://${authority(hostname, port)}/${encodeURIComponent(federation)}${query}`;
}

/** @throws {TypeError} when the URL is no address of this wire; its message says what to change. */
export function addressOf(url: URL): QuicAddress {
  if (url.protocol !== "quic:") {
    throw new TypeError(`Cannot dial ${shownUrl(url)}: a QUIC address begins with quic://`);
  }
  if (url.hostname === "" || url.port === "") {
    throw new TypeError(`Cannot dial ${shownUrl(url)}: write quic://host:port/federation`);
  }
  const federation = federationOf(url.pathname);
  if (federation === undefined || federation === "") {
    throw new TypeError(
      `Cannot dial ${shownUrl(url)}: name the federation, as in quic://host:port/default`,
    );
  }
  return {
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port),
    federation,
    hash: hashOf(url),
  };
}

/** The federation that a path names; undefined where percent-encoding is broken. */
export function federationOf(path: string): string | undefined {
  try {
    const end = path.search(/[?#]/);
    return decodeURIComponent(path.slice(path.startsWith("/") ? 1 : 0, end < 0 ? undefined : end));
  } catch {
    return undefined;
  }
}

export function authority(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function hashOf(url: URL): Uint8Array<ArrayBuffer> | undefined {
  const text = url.searchParams.get("hash");
  if (text === null) return undefined;
  try {
    // Not every browser has Uint8Array.fromBase64.
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const hash = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    if (hash.length === HASH_BYTES) return hash;
  } catch {
    // Said below.
  }
  throw new TypeError(
    `Cannot dial ${shownUrl(url)}: hash= is the server's certificate hash, copied whole`,
  );
}
