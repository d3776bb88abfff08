import { type Options, options, permissions } from "../../../src/protocols/quic/options.ts";
import { QuicServer } from "../../../src/protocols/quic/server.ts";
import { dial } from "../../../src/protocols/quic/websocket_client.ts";
import { conformance } from "../conformance.ts";
import { webSocketUrl } from "./websocket_url.ts";

/** The QUIC server's other door: its own address, with the scheme and without the hash. */
conformance<Options>({
  wire: "quic by WebSocket",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new QuicServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/quic/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial: (url, options) => dial(webSocketUrl(url), options),
  garbage: async (url) => {
    const conn = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
    await conn.write(new Uint8Array(64).fill(0xff));
    await conn.write(new TextEncoder().encode("\r\n\r\n"));
    for await (const _refusal of conn.readable);
  },
});
