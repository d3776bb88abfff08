import assert from "node:assert/strict";
import { ListenError } from "../../../src/contract/protocol_server.ts";
import { bindPorts } from "../../../src/protocols/mqtt/listening.ts";
import { options } from "../../../src/protocols/mqtt/options.ts";

Deno.test("bindPorts() binds one port, or one for TCP and one for WebSocket", () => {
  for (const [own, schemes] of [[{}, ["mqtt"]], [{ websocketPort: 0 }, ["mqtt", "mqtt+ws"]]]) {
    const doors = bindPorts(options.parse({ port: 0, ...own }), undefined);
    assert.deepEqual(doors.map(({ scheme }) => scheme), schemes);
    for (const { listener } of doors) listener.close();
  }
});

Deno.test("bindPorts() says which port is taken, and by what to choose another; nothing stays bound", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  assert.throws(
    () => bindPorts(options.parse({ port }), undefined),
    (error) =>
      error instanceof ListenError &&
      error.message === `Cannot listen for MQTT on 127.0.0.1:${port}: the address is in use; ` +
          "stop the other program or set --mqtt-port",
  );
  assert.throws(
    () => bindPorts(options.parse({ port: 0, websocketPort: port }), undefined),
    (error) =>
      error instanceof ListenError &&
      error.message.startsWith(`Cannot listen for MQTT over WebSocket on 127.0.0.1:${port}: `) &&
      error.message.endsWith("set --mqtt-websocket-port"),
  ); // and the sanitizer finds no listener
});

Deno.test("bindPorts() says when the machine has no such address", () => {
  assert.throws(
    () => bindPorts(options.parse({ port: 0, hostname: "192.0.2.1" }), undefined),
    /this machine has no such address; set --mqtt-hostname/,
  );
});
