import assert from "node:assert/strict";
import { bindPorts } from "../../../src/protocols/quic/listening.ts";
import { options } from "../../../src/protocols/quic/options.ts";
import { lastingPort } from "../../support/lasting_port.ts";

Deno.test("bindPorts() binds one number for UDP and TCP", () => {
  const { endpoint, listener } = bindPorts(options.parse({ port: 0 }));
  assert.ok(listener);
  assert.equal(endpoint.addr.port, listener.addr.port);
  endpoint.close();
  listener.close();
});

Deno.test("bindPorts() says what to change where the TCP port is taken, and leaves it alone if told to", () => {
  const port = lastingPort();
  using _taken = Deno.listen({ hostname: "127.0.0.1", port });
  assert.throws(() => bindPorts(options.parse({ port })), {
    name: "ListenError",
    message: `Cannot listen for WebSocket on 127.0.0.1:${port}: the address is in use; ` +
      "stop the other program, set --quic-port, or do without by --no-quic-websocket",
  });
  const { endpoint, listener } = bindPorts(options.parse({ port, websocket: false }));
  assert.equal(listener, undefined);
  assert.equal(endpoint.addr.port, port);
  endpoint.close();
});

Deno.test("bindPorts() gives the TCP port back where the UDP port is taken", () => {
  // One that the system gives out may be that of a TCP connection, for a minute after its end, too.
  const port = lastingPort();
  const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  assert.throws(() => bindPorts(options.parse({ port })), {
    name: "ListenError",
    message: `Cannot listen for QUIC on 127.0.0.1:${port}: the address is in use; ` +
      "stop the other program or set --quic-port",
  });
  Deno.listen({ hostname: "127.0.0.1", port }).close();
  taken.close();
});
