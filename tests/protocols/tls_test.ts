/** What every protocol server does, done over TLS: the same suite, with a certificate. */

import { dial as dialAmqp } from "../../src/protocols/amqp/client.ts";
import * as amqp from "../../src/protocols/amqp/options.ts";
import { AmqpServer } from "../../src/protocols/amqp/server.ts";
import { dial as dialWebSocket } from "../../src/protocols/quic/websocket_client.ts";
import * as quic from "../../src/protocols/quic/options.ts";
import { QuicServer } from "../../src/protocols/quic/server.ts";
import { grpc } from "../support/grpc.ts";
import { mqtt } from "../support/mqtt.ts";
import { overTls } from "../support/tls.ts";
import { conformance } from "./conformance.ts";
import type { Subject } from "./subject.ts";

/** Plain text on the TLS port: a server that was reconfigured has such clients. */
async function garbage(url: URL): Promise<void> {
  const conn = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
  await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: here\r\n\r\n"));
  try {
    for await (const _alert of conn.readable);
  } catch {
    // Reset: that, too, is a refusal.
  }
}

/** What is held all the same: the contract's window bounds it, which this one claim leaves out. */
const readsAhead = {
  mqtt: "Deno's node:tls reads on and buffers while its socket is paused",
  webSocket: "Deno's WebSocketStream takes no authority, and its WebSocket cannot be told to wait",
};

conformance(overTls({ ...mqtt, garbage, readsAhead: readsAhead.mqtt }));

conformance(overTls<amqp.Options>({
  wire: "amqp",
  own: (port = 0) => amqp.options.parse({ port }),
  make: (server, own) => new AmqpServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../src/protocols/amqp/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: amqp.permissions(own) },
    }),
  dial: dialAmqp,
  garbage,
}));

conformance(overTls({ ...grpc, garbage }));

const webSocket: Subject<quic.Options> = {
  wire: "quic by WebSocket",
  own: (port = 0) => quic.options.parse({ port }),
  make: (server, own) => new QuicServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../src/protocols/quic/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: quic.permissions(own) },
    }),
  dial: ({ host, pathname }, options) =>
    dialWebSocket(new URL(`wss://${host}${pathname}`), options),
  garbage,
  readsAhead: readsAhead.webSocket,
};

conformance(overTls(webSocket));
