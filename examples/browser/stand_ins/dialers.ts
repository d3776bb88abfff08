/** In a page, for src/protocols/mod.ts: what a browser can dial. */

import {
  type Connection,
  ConnectionLost,
  type Dial,
  type DialOptions,
} from "../../../src/contract/connection.ts";
import { dial as dialWebSocket } from "../../../src/protocols/quic/websocket_client.ts";
import { dial as dialWebTransport } from "../../../src/protocols/quic/webtransport_client.ts";

const dialers: Readonly<Record<string, Dial>> = {
  "quic:": dialWebTransport,
  "ws:": dialWebSocket,
  "wss:": dialWebSocket,
};

/**
 * @throws {TypeError} for a URL that no browser can dial.
 * @throws {ConnectionLost} when nobody answers, or where others could read a token on its way.
 */
export async function dialUrl(url: URL, options: DialOptions): Promise<Connection> {
  const dial = dialers[url.protocol];
  if (dial === undefined) throw new TypeError(`A browser cannot dial ${url.href}`);
  if (options.token !== undefined && url.protocol === "ws:") {
    // To seal messages, as other clients do there, takes an HMAC that does not wait: browsers have none.
    throw new ConnectionLost("a token goes by WebSocket over TLS only: open this page at https://");
  }
  return await dial(url, options);
}
