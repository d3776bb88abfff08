/**
 * A program to be compiled like the product: starts a probing Worker with each of the permissions that
 * the product's Workers get, and writes what came of it as JSON. Its argument is a file that it may
 * read and write.
 */

import { openBackend } from "../../src/client/backend.ts";
import { permissions as trainer } from "../../src/client/spawn_trainer.ts";
import * as amqp from "../../src/protocols/amqp/options.ts";
import * as amqpBroker from "../../src/protocols/amqp/broker_options.ts";
import * as dds from "../../src/protocols/dds/options.ts";
import * as grpc from "../../src/protocols/grpc/options.ts";
import * as mqtt from "../../src/protocols/mqtt/options.ts";
import * as mqttBroker from "../../src/protocols/mqtt/broker_options.ts";
import * as quic from "../../src/protocols/quic/options.ts";
import { permissions as vault } from "../../src/vault/link.ts";
import * as web from "../../src/web/options.ts";
import type { Attempts } from "./probe_worker.ts";

const [file = ""] = Deno.args;

/** One that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

type Given = readonly [Deno.PermissionOptionsObject, number?];

const port = freePort();
const workers: Readonly<Record<string, Given>> = {
  mqtt: [mqtt.permissions(mqtt.options.parse({ port })), port],
  amqp: [amqp.permissions(amqp.options.parse({ port })), port],
  grpc: [grpc.permissions(grpc.options.parse({ port })), port],
  quic: [quic.permissions(quic.options.parse({ port })), port],
  dds: [dds.permissions(dds.options.parse({ port }))],
  "mqtt@broker": [
    mqttBroker.permissions(mqttBroker.options.parse({ url: "mqtt://127.0.0.2:1883" })),
  ],
  "amqp@broker": [
    amqpBroker.permissions(amqpBroker.options.parse({ url: "amqp://127.0.0.2:5672" })),
  ],
  web: [web.permissions(web.options.parse({ port })), port],
  vault: [vault(undefined)],
  trainer: [trainer(undefined)],
};

function probe([permissions, port]: Given): Promise<Record<string, string>> {
  const worker = new Worker(new URL("./probe_worker.ts", import.meta.url), {
    type: "module",
    deno: { permissions },
  });
  return new Promise((resolve, reject) => {
    worker.onerror = reject;
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.postMessage({ file, port } satisfies Attempts);
  });
}

const outcomes: Record<string, Record<string, string>> = {};
for (const [name, given] of Object.entries(workers)) outcomes[name] = await probe(given);
const backend = await openBackend();
await Deno.stdout.write(
  new TextEncoder().encode(
    JSON.stringify({ outcomes, backend, text: Deno.readTextFileSync(file) }),
  ),
);
Deno.exit(0);
