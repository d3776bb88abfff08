/**
 * Records what a stock client says to the server, from its first byte to its last, in one round of
 * a federation that is as small as can be: `record.ts SCHEME FILE COMMAND ...`, where {url}, {host},
 * {port}, {data} and {file} in the command become what the client is to be told. The folders
 * `frames` say what was recorded how. A line of FILE is a read of a TCP connection, in hex; what goes
 * over UDP the command writes to {file} itself.
 */

import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { openEvents } from "../../src/events.ts";
import { Metrics } from "../../src/metrics.ts";
import { fetchLibrary } from "../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../src/protocols/dds/library.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { idx } from "../client/datasets/files.ts";
import { SampleFolder, sequential } from "../client/sample_folder.ts";
import { urlOf } from "./subject.ts";

const [scheme, file, command, ...args] = Deno.args;
if (scheme === undefined || file === undefined || command === undefined) {
  throw new TypeError("usage: record.ts SCHEME FILE COMMAND ...");
}

await using folder = await SampleFolder.open();
const layers = sequential(["Dense", {
  name: "scores",
  batch_input_shape: [null, 4],
  units: 2,
  activation: "softmax",
}]);
/** Eight images of two by two pixels: dark ones and bright ones. */
const data = [
  await folder.write("images.idx", idx([8, 2, 2], new Uint8Array(32).fill(255, 16))),
  await folder.write("labels.idx", idx([8], new Uint8Array(8).fill(1, 4))),
].join();

const [wire = ""] = scheme.split("+");
await using server = await FederationServer.open({
  config: readConfig({
    flags: {
      "protocols": wire,
      [`${wire}-port`]: "0",
      "web": "false",
      "rounds": "1",
      "topology": await folder.write("layers.json", layers.bytes),
      ...(scheme === "mqtt+ws" ? { "mqtt-websocket-port": "0" } : {}),
      ...(scheme === "dds" ? { "dds-library": findLibrary() ?? await fetchLibrary() } : {}),
    },
  }).config,
  events: openEvents({ write: () => {} }, new Metrics()),
  metrics: new Metrics(),
});
const url = new URL(urlOf(server.addresses, scheme));
const recorded: string[] = [];

/** Passes on what a client says, and writes it down. */
async function relay(client: Deno.Conn, to: URL): Promise<void> {
  const upstream = await Deno.connect({ hostname: to.hostname, port: Number(to.port) });
  const tap = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      recorded.push(chunk.toHex());
      controller.enqueue(chunk);
    },
  });
  await Promise.all([
    client.readable.pipeThrough(tap).pipeTo(upstream.writable).catch(() => {}),
    upstream.readable.pipeTo(client.writable).catch(() => {}), // either may close without waiting
  ]);
}

const path = join(Deno.cwd(), file);
const isUdp = wire === "quic" || wire === "dds";
using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const relaying = isUdp ? undefined : listener.accept().then((client) => relay(client, url));
const through = new URL(url);
if (!isUdp) through.port = String(listener.addr.port);
const told: Readonly<Record<string, string>> = {
  "{url}": through.href,
  "{host}": through.host,
  "{port}": through.port,
  "{data}": data,
  "{file}": path,
};
const { code } = await new Deno.Command(command, {
  args: args.map((arg) => arg.replace(/\{\w+\}/g, (name) => told[name] ?? name)),
  stdout: "inherit",
  stderr: "inherit",
}).output();
await relaying;
if (code !== 0) throw new Error(`The client failed with exit code ${code}`);
if (!isUdp) await Deno.writeTextFile(path, recorded.join("\n") + "\n");
