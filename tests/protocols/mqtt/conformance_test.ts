/** The conformance suite on MQTT 5 and MQTT 3.1.1, in process and in the product's own Worker. */

import { dial } from "../../../src/protocols/mqtt/client.ts";
import { type Options, options, permissions } from "../../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../../src/protocols/mqtt/server.ts";
import { conformance } from "../conformance.ts";
import type { Subject } from "../subject.ts";

const subject: Subject<Options> = {
  wire: "mqtt",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new MqttServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/mqtt/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  async garbage(url) {
    const socket = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
    await socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    while (await socket.read(new Uint8Array(1024)) !== null);
    socket.close();
  },
};

conformance(subject);

conformance({
  ...subject,
  wire: "mqtt@3.1.1",
  dial: (url, given) => dial(new URL(`${url.href}?v=4`), given),
});
