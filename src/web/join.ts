/** What the page at /join/ may reach: the server's addresses for browsers, and nothing else. */

import type { Status } from "./status.ts";

/** A server that listens on every address of its machine names none. */
const EVERY_ADDRESS = ["0.0.0.0", "[::]"];

/**
 * What the page dials, in this order: WebTransport on QUIC's UDP port, WebSocket on the TCP port of
 * the same number. Empty where QUIC is not served.
 * @param page Where the page itself came from: by HTTPS, WebSocket is TLS as well.
 */
export function addressesOf({ wires }: Status, page: URL): string[] {
  const url = URL.parse(wires.find(({ wire }) => wire === "quic")?.url ?? "");
  if (url === null) return [];
  const host = EVERY_ADDRESS.includes(url.hostname) ? page.hostname : url.hostname;
  const place = `${host}:${url.port}${url.pathname}`;
  const scheme = page.protocol === "https:" ? "wss" : "ws";
  return [`quic://${place}${url.search}`, `${scheme}://${place}`];
}

/** The Content-Security-Policy of the page and its Workers: they reach this server, and nothing else. */
export function joinPolicy(addresses: readonly string[]): string {
  const reached = addresses.map((address) => {
    const { protocol, hostname, host } = new URL(address);
    const scheme = protocol === "quic:" ? "https:" : protocol;
    // A policy can name schemes, host names and IPv4 addresses (CSP Level 3 §2.3.1).
    return /^[\w.-]+$/.test(hostname) ? `${scheme}//${host}` : scheme;
  });
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self'",
    "style-src 'self'",
    "img-src data:",
    ["connect-src 'self' blob:", ...reached].join(" "),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
