import { AmqpServer } from "../../../src/protocols/amqp/server.ts";
import { dial } from "../../../src/protocols/amqp/client.ts";
import { options, permissions } from "../../../src/protocols/amqp/options.ts";
import { conformance } from "../conformance.ts";

conformance({
  wire: "amqp",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new AmqpServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/amqp/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  async garbage(url) {
    using socket = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
    await socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: here\r\n\r\n"));
    await new Response(socket.readable).bytes();
  },
});
