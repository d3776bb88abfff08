/**
 * Which web pages may join. Any page that a browser shows could reach a server on the same machine,
 * so browsers say where a page comes from (RFC 6454), and servers have to judge it.
 */

import { isIP } from "node:net";
import * as z from "zod";

/** What a browser says of the page that connects. Other programs send no origin. */
export interface Provenance {
  readonly origin: string | undefined;
  /** The host, with or without its port, as the page wrote it: RFC 9110 §7.2. */
  readonly host: string | undefined;
  /** The browser has seen a certificate for the host. */
  readonly isProven?: boolean;
}

/** The setting for pages that are welcome beside those that always are. */
export function allowedOrigins() {
  return z.array(
    z.string().regex(/^(\*|https?:\/\/[^/?#\s]+)$/, {
      error: "must be * or origins such as https://example.org",
    }),
  ).default([]).meta({ takes: "a list of origins such as https://example.org, or *" });
}

/**
 * Welcome are pages of this machine, those that come from the server's own address, and those that
 * `allowed` names. A name that no certificate proves is no own address: any site can give the
 * server's number a name of its own (DNS rebinding).
 */
export function isWelcome(
  { origin, host, isProven = false }: Provenance,
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes("*") || allowed.includes(origin)) return true;
  const page = URL.parse(origin)?.hostname;
  if (page === undefined) return false; // `null`: a page that hides where it comes from
  if (page === "localhost" || page === "[::1]" || /^127(\.\d+){3}$/.test(page)) return true;
  const own = URL.parse(`http://${host}`)?.hostname;
  return page === own && (isProven || isIP(page.replace(/^\[|\]$/g, "")) !== 0);
}
