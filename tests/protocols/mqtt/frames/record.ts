/**
 * Records what a stock client says to the endpoint: `record.ts FILE COMMAND ...`, where {port} in
 * the command becomes the port to connect to. See README.md for the commands.
 */

import { options } from "../../../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../../../src/protocols/mqtt/server.ts";
import { ScriptedCoordinator } from "../../../support/scripted_coordinator.ts";
import { serverOptions } from "../../subject.ts";

const [file, command, ...args] = Deno.args;
if (file === undefined || command === undefined) {
  throw new TypeError("usage: record.ts FILE COMMAND ...");
}

await using server = new MqttServer(serverOptions("mqtt"), options.parse({ port: 0 }));
const [address] = await server.listen(new ScriptedCoordinator());
if (address === undefined) throw new Error("The server has no address");

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const port = String(listener.addr.port);
const child = new Deno.Command(command, {
  args: args.map((arg) => arg.replace("{port}", port)),
  stdout: "inherit",
  stderr: "inherit",
}).spawn();

const client = await listener.accept();
const upstream = await Deno.connect({ port: Number(new URL(address.url).port) });
const recorded: string[] = [];
const tap = new TransformStream<Uint8Array, Uint8Array>({
  transform(chunk, controller) {
    recorded.push(chunk.toHex());
    controller.enqueue(chunk);
  },
});
await Promise.all([
  client.readable.pipeThrough(tap).pipeTo(upstream.writable),
  upstream.readable.pipeTo(client.writable).catch(() => {}), // a client may close without waiting
  child.status,
]);
listener.close();
await Deno.writeTextFile(new URL(file, import.meta.url), recorded.join("\n") + "\n");
