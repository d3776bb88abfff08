/** The conformance suite on MQTT over WebSocket, in process and in the product's own Worker. */

import { dial } from "../../../src/protocols/mqtt/client.ts";
import { type Options, options, permissions } from "../../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../../src/protocols/mqtt/server.ts";
import { conformance } from "../conformance.ts";
import type { Subject } from "../subject.ts";

const subject: Subject<Options> = {
  wire: "mqtt by WebSocket",
  scheme: "mqtt+ws",
  own: (port = 0) => options.parse({ port: 0, websocketPort: port }),
  make: (server, own) => new MqttServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/mqtt/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  async garbage(url) {
    const conn = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
    await conn.write(Uint8Array.fromHex("10100004")); // a CONNECT outside of a WebSocket
    for await (const _refusal of conn.readable);
  },
};

conformance(subject);

conformance({
  ...subject,
  wire: "mqtt@3.1.1 by WebSocket",
  dial: (url, given) => dial(new URL(`${url.href}?v=4`), given),
});
