/** The HTTP/1.1 request that opens a WebSocket, and its answers (RFC 6455 §4.2). Pure, no I/O. */

import { Verdict } from "../contract/federation_pb.ts";

export interface UpgradeRequest {
  /** Of the request line, still percent-encoded. */
  readonly path: string;
  readonly host: string | undefined;
  /** Where the page comes from that a browser shows. */
  readonly origin: string | undefined;
  readonly key: string;
  /** What the client would speak inside, the best first (§1.9). */
  readonly subprotocols: readonly string[];
}

/** Why a request opens no WebSocket. */
export interface Refusal {
  readonly verdict: Verdict;
  readonly reason: string;
}

/** What every request's head begins with, and what ends it. */
export const HEAD_BEGIN = "GET ";
export const HEAD_END = "\r\n\r\n";
export const MAX_HEAD_BYTES = 8192;

/** RFC 6455 §1.3. */
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Reads a request's head, or says why it opens no WebSocket. */
export function readUpgrade(head: string): UpgradeRequest | string {
  const [requestLine = "", ...lines] = head.split("\r\n");
  const path = /^GET (\/\S*) HTTP\/1\.1$/.exec(requestLine)?.[1];
  if (path === undefined) return "The request is not an HTTP/1.1 GET";
  const fields = new Map<string, string>();
  for (const line of lines) {
    // One way to match only: a stranger's line must not make it try again and again.
    const [, name, text = ""] = /^([^\s:]+):(.*)$/.exec(line) ?? [];
    if (name === undefined) return "The request has a broken header field";
    const value = text.trim();
    const known = fields.get(name.toLowerCase());
    fields.set(name.toLowerCase(), known === undefined ? value : `${known}, ${value}`);
  }
  const key = fields.get("sec-websocket-key") ?? "";
  if (!lists(fields.get("upgrade"), "websocket") || !lists(fields.get("connection"), "upgrade")) {
    return "The request is not for a WebSocket";
  }
  if (fields.get("sec-websocket-version") !== "13") return "WebSocket is spoken here in version 13";
  if (!KEY.test(key)) return "The request has no Sec-WebSocket-Key";
  const subprotocols = tokens(fields.get("sec-websocket-protocol"));
  return { path, host: fields.get("host"), origin: fields.get("origin"), key, subprotocols };
}

function lists(field: string | undefined, token: string): boolean {
  return tokens(field).some((each) => each.toLowerCase() === token);
}

function tokens(field: string | undefined): string[] {
  return field?.split(",").map((each) => each.trim()) ?? [];
}

/** `101 Switching Protocols`, to speak the subprotocol if one is named. */
export async function upgradeAccepted(key: string, subprotocol?: string): Promise<Uint8Array> {
  const text = new TextEncoder();
  const digest = await crypto.subtle.digest("SHA-1", text.encode(key + ACCEPT_GUID));
  const head = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    `Sec-WebSocket-Accept: ${new Uint8Array(digest).toBase64()}`,
  ];
  return text.encode(head.join("\r\n") + HEAD_END);
}

export function upgradeRefused({ verdict, reason }: Refusal): Uint8Array {
  const text = new TextEncoder();
  const body = text.encode(`${reason}\n`);
  const head = [
    `HTTP/1.1 ${statusOf(verdict)}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    "Connection: close",
    "Sec-WebSocket-Version: 13", // RFC 6455 §4.4
  ];
  return new Uint8Array([...text.encode(head.join("\r\n") + HEAD_END), ...body]);
}

function statusOf(verdict: Verdict): string {
  switch (verdict) {
    case Verdict.UNAUTHORISED:
      return "403 Forbidden";
    case Verdict.UNSUPPORTED:
      return "404 Not Found";
    case Verdict.BUSY:
      return "503 Service Unavailable";
    default:
      return "400 Bad Request";
  }
}
