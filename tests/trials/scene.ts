/** Where faults happen: five wires, a small task to learn, client processes, and all that is seen. */

import { join } from "node:path";
import { type Config, readConfig } from "../../src/config.ts";
import { LocalFederation } from "../../src/demo/local_federation.ts";
import { openEvents } from "../../src/events.ts";
import type { Fields } from "../../src/log.ts";
import { Metrics } from "../../src/metrics.ts";
import { permissions } from "../../src/protocols/amqp/options.ts";
import { fetchLibrary } from "../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../src/protocols/dds/library.ts";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { linksOf, workerLink } from "../../src/server/links.ts";
import { Awaitable } from "../support/awaitable.ts";

/** One line of somebody's log. */
export interface Moment {
  readonly atMs: number;
  /** "server", or a client by its id, which is its wire. */
  readonly who: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Scene extends AsyncDisposable {
  readonly federation: LocalFederation;
  readonly moments: Awaitable<Moment>;
  /** Makes the AMQP server's Worker throw an error that nobody catches. */
  crashAmqp(): void;
}

export const ROUNDS = 5;

/** Silent for three of them, a client is given up. */
const HEARTBEAT_MS = 1000;

/** More than half a second of training: a fault finds the client in the middle of it. */
const SETTINGS = "epochs=60,batch_size=16";
const SAMPLES = 200;

/** Two classes that a line parts. */
const TOPOLOGY = JSON.stringify({
  class_name: "Sequential",
  config: {
    name: "line",
    layers: [{
      class_name: "Dense",
      config: { name: "scores", units: 2, activation: "softmax", batch_input_shape: [null, 2] },
    }],
  },
});

/** Starts the server and a client on each wire. @param signal Ends the wait for the run. */
export async function openScene(signal: AbortSignal): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "tributary-faults-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const config = await sceneConfig(directory);
  const moments = new Awaitable<Moment>();
  const saw = (who: string, message: string, fields: Moment["fields"]) =>
    moments.push({ atMs: performance.now(), who, message, fields });
  const metrics = new Metrics();
  const write = (_level: string, message: string, fields: Fields) => saw("server", message, fields);
  let amqp: Worker | undefined;
  const federation = stack.use(
    await LocalFederation.open({
      parts: {
        config,
        metrics,
        events: openEvents({ write }, metrics),
        wires: (runId) => {
          const spawn = () => amqp = crashingWorker(config);
          return new Map([
            ...linksOf(config, { runId }),
            ["amqp", () => workerLink("amqp", config, { runId, worker: spawn() })],
          ]);
        },
      },
      client: ({ wire, url, index }) => ({
        args: joinArgs(wire, url, join(directory, `${index}.csv`)),
        hear: (line) => saw(wire, line.message, line),
      }),
      signal,
    }),
  );
  const scene = stack.move();
  return {
    federation,
    moments,
    crashAmqp: () => amqp?.postMessage({ kind: "crash" }),
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

async function sceneConfig(directory: string): Promise<Config> {
  const topology = join(directory, "topology.json");
  await Deno.writeTextFile(topology, TOPOLOGY);
  for (const index of PROTOCOLS.keys()) {
    await Deno.writeTextFile(join(directory, `${index}.csv`), points(index));
  }
  const ports = Object.fromEntries(PROTOCOLS.map((wire) => [`${wire}-port`, "0"]));
  return readConfig({
    flags: {
      ...ports,
      // A Worker that is started again must be found where its clients know it.
      "amqp-port": String(freePort()),
      "dds-library": findLibrary() ?? await fetchLibrary(),
      "min-clients": String(PROTOCOLS.length),
      "heartbeat-interval-ms": String(HEARTBEAT_MS),
      rounds: String(ROUNDS),
      settings: SETTINGS,
      topology,
      web: false,
    },
  }).config;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function points(seed: number): string {
  const rows = ["x,y,label"];
  for (let index = 0; index < SAMPLES; index++) {
    const x = ((index * 37 + seed * 11) % 100) / 50 - 1;
    const y = ((index * 61 + seed * 7) % 100) / 50 - 1;
    rows.push(`${x},${y},${x > y ? 1 : 0}`);
  }
  return rows.join("\n") + "\n";
}

function joinArgs(id: string, url: string, data: string): string[] {
  return [
    "join",
    url,
    "--once",
    "--data",
    data,
    "--id",
    id,
    "--log-format",
    "json",
    "--log-level",
    "debug",
  ];
}

function crashingWorker(config: Config): Worker {
  return new Worker(new URL("./crashing_amqp_worker.ts", import.meta.url), {
    type: "module",
    name: "amqp",
    deno: { permissions: permissions(config.amqp) },
  });
}
