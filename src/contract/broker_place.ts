/** Where a broker of the operator's is: what the wires that go through one have in common. */

import { hostOf, NOTHING } from "./least.ts";

export interface Host {
  /** A name, or an IP address without brackets. */
  readonly hostname: string;
  readonly port: number;
}

export interface BrokerPlace extends Host {
  readonly isTls: boolean;
}

/** Where a wire's brokers listen unless their URL says, by its scheme. */
export interface BrokerPorts {
  readonly plain: { readonly scheme: string; readonly port: number };
  readonly tls: { readonly scheme: string; readonly port: number };
}

/** Of a broker's URL; undefined for one that has another scheme or names no host. */
export function placeIn(url: URL | null, { plain, tls }: BrokerPorts): BrokerPlace | undefined {
  if (url === null || url.hostname === "") return undefined;
  const own = [plain, tls].find(({ scheme }) => url.protocol === `${scheme}:`);
  if (own === undefined) return undefined;
  return {
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? own.port : Number(url.port),
    isTls: own === tls,
  };
}

/** What a broker's URL must be like, for people. */
export function likeness({ plain, tls }: BrokerPorts): string {
  return `${plain.scheme}://host:${plain.port}, or ${tls.scheme}://host:${tls.port} for TLS`;
}

/** `host:port`, as it stands in a URL. */
export function placeOf({ hostname, port }: Host): string {
  return `${hostOf(hostname)}:${port}`;
}

/** A part of a URL; as it stands where it is not percent-encoded text. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether `read` takes a text, for a setting that must be one. */
export function isReadable(read: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      read(text);
      return true;
    } catch {
      return false;
    }
  };
}

/** The least a Worker needs: to dial the broker, by the name the operator gave it. */
export function diallingPermissions(place: Host | undefined): Deno.PermissionOptionsObject {
  return place === undefined ? NOTHING : { ...NOTHING, net: [placeOf(place)] };
}
