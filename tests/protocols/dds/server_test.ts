/** The DDS server against the suite that every wire passes. */

import { dial } from "../../../src/protocols/dds/client.ts";
import { openCyclone } from "../../../src/protocols/dds/cyclone.ts";
import { fetchLibrary } from "../../../src/protocols/dds/fetch_library.ts";
import { options, permissions } from "../../../src/protocols/dds/options.ts";
import { DdsServer } from "../../../src/protocols/dds/server.ts";
import { conformance } from "../conformance.ts";

const library = await fetchLibrary();
openCyclone(library); // for good, so no test is blamed for it

conformance({
  wire: "dds",
  own: (port = 0) => options.parse({ port, library }),
  make: (server, own) => new DdsServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/dds/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  async garbage(url) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const noise = crypto.getRandomValues(new Uint8Array(512));
    const to = { transport: "udp", hostname: url.hostname, port: Number(url.port) } as const;
    await socket.send(noise, to);
    await socket.send(new TextEncoder().encode("RTPS\x02\x05"), to);
    socket.close();
  },
});
