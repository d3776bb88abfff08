/** Where a broker of the operator's is: what the wires that go through one have in common. */

import { hostOf, NOTHING } from "./least.ts";

export interface BrokerPlace {
  /** A name, or an IP address without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/** Of a broker's URL. @param defaultPort Where it names none. */
export function placeIn({ hostname, port }: URL, defaultPort: number): BrokerPlace {
  return {
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? defaultPort : Number(port),
  };
}

/** `host:port`, as it stands in a URL. */
export function placeOf({ hostname, port }: BrokerPlace): string {
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
export function diallingPermissions(place: BrokerPlace | undefined): Deno.PermissionOptionsObject {
  return place === undefined ? NOTHING : { ...NOTHING, net: [placeOf(place)] };
}
