/** Addresses by the names that a certificate proves, as clients elsewhere can dial them. */

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { Certificate } from "../contract/tls.ts";

/** What listens on every address of its machine can be reached by none of these elsewhere. */
const EVERY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "[::]"]);
/** Schemes whose server proves a name; QUIC's does where the address pins no certificate. */
const PROVING: ReadonlySet<string> = new Set(["mqtts:", "amqps:", "grpcs:", "https:", "quic:"]);

/**
 * The same address, under a host that the server's certificate is for: else no client would trust
 * it. Unchanged where the certificate is for its host, or says nothing.
 */
export function advertised(address: string, certificate: Certificate | undefined): string {
  const url = URL.parse(address);
  if (url === null || certificate === undefined || !PROVING.has(url.protocol)) return address;
  if (url.searchParams.has("hash") && !EVERY_ADDRESS.has(url.hostname)) return address;
  const names = namesOf(certificate);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (names.includes(host)) return address;
  const [first] = EVERY_ADDRESS.has(url.hostname) ? beyond(names) : names;
  if (first === undefined) return address;
  // URL's own setter does not change the host of schemes that it does not know.
  return address.replace(
    `//${url.host}`,
    `//${isIP(first) === 6 ? `[${first}]` : first}:${url.port}`,
  );
}

/** Those by which other machines may reach it, before those for this machine alone. */
function beyond(names: readonly string[]): string[] {
  const isOwn = (name: string) => /^(localhost|::1|127(\.\d+){3})$/.test(name);
  return [...names.filter((name) => !isOwn(name)), ...names.filter(isOwn)];
}

/** Names and addresses without wildcards, in the certificate's order (RFC 5280 §4.2.1.6). */
function namesOf({ certificate }: Certificate): string[] {
  const text = new X509Certificate(certificate).subjectAltName ?? "";
  return [...text.matchAll(/(?:DNS|IP Address):([^,\s"]+)/g)]
    .map(([, name = ""]) => isIP(name) === 6 ? compressed(name) : name)
    .filter((name) => !name.includes("*"));
}

/** As URLs write it. */
function compressed(address: string): string {
  return URL.parse(`http://[${address}]/`)?.hostname.replace(/^\[(.*)\]$/, "$1") ?? address;
}
