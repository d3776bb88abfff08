import { dial } from "../../../src/protocols/quic/client.ts";
import { type Options, options, permissions } from "../../../src/protocols/quic/options.ts";
import { QuicServer } from "../../../src/protocols/quic/server.ts";
import { conformance } from "../conformance.ts";
import { Stranger } from "./stranger.ts";

conformance<Options>({
  wire: "quic",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new QuicServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/quic/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  garbage: async (url) => {
    await using stranger = await Stranger.connect(url.href);
    await stranger.bidirectional(new Uint8Array(64).fill(0xff));
    await stranger.conn.closed;
  },
});
