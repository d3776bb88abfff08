/** TLS for tests: an authority, a server's certificate for loopback, and subjects that use them. */

import type { Dial } from "../../src/contract/connection.ts";
import type { TlsOptions } from "../../src/contract/tls.ts";
import { issue, makeAuthority } from "../../src/server/authority.ts";
import type { Subject } from "../protocols/subject.ts";

const authority = await makeAuthority();

/** Who vouches for the server, in PEM. */
export const ca = authority.certificate;

export async function certificateFor(hosts: readonly string[]): Promise<TlsOptions> {
  return { ...await issue(authority, hosts), handshakeTimeoutMs: 10_000 };
}

export const loopbackTls = await certificateFor(["localhost", "127.0.0.1", "::1"]);

/** Trusts the authority beside what a dialler trusts by itself. */
export function trusting(dial: Dial): Dial {
  return (url, options) => dial(url, { ...options, ca });
}

/** The same wire over TLS. */
export function overTls<Own>(subject: Subject<Own>): Subject<Own> {
  return {
    ...subject,
    wire: `${subject.wire} over TLS`,
    tls: loopbackTls,
    dial: trusting(subject.dial),
  };
}
