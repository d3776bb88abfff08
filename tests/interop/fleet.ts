/**
 * One federation of eleven clients, most of them on software that nobody here wrote: five in Python
 * (one on each wire), a browser, one in Go, one in Rust, and three of our own: through Mosquitto,
 * through RabbitMQ, and over QUIC.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import type { Outcome } from "../../src/coordinator/options.ts";
import { Metrics } from "../../src/metrics.ts";
import { fetchLibrary } from "../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../src/protocols/dds/library.ts";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { Mosquitto } from "./brokers/mosquitto.ts";
import { Rabbitmq } from "./brokers/rabbitmq.ts";
import { Chromium } from "./chromium.ts";
import { ClientProcess } from "./client_process.ts";
import { CompiledClients, GO, RUST } from "./compiled_clients.ts";
import { digits } from "./digits.ts";
import { type ClientSpec, Stranger } from "./stranger.ts";

export const ROUNDS = 5;
export const CLIENTS = 11;

const IMAGES = 22_000;
const MAIN = new URL("../../main.ts", import.meta.url).href;

export interface FleetMember {
  readonly id: string;
  readonly software: string;
  readonly wire: string;
  /** Of the final model, as the client holds it. */
  readonly sha256: string;
}

export interface FleetFigures {
  readonly members: readonly FleetMember[];
  readonly outcome: Outcome;
  /** Of the final model, on the test images. */
  readonly accuracy: number;
  /** Clients whose update is in the model, by round. */
  readonly counted: readonly number[];
}

/** A client that is on its way: what it is, and the final model's digest once it holds it. */
interface Seat {
  readonly id: string;
  readonly software: string;
  readonly wire: string;
  readonly sha256: Promise<string>;
}

/** What a program of a client is started with. */
type Start = (spec: ClientSpec) => ClientProcess;

/**
 * @param step Told what is done next.
 * @throws {Error} with one sentence when a program is missing, or with what a client said that failed.
 */
export async function runFleet(step: (what: string) => void): Promise<FleetFigures> {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  step("building the clients, from examples/ and proto/ alone");
  const python = await Stranger.move(folder.path);
  const go = await CompiledClients.built(GO);
  const rust = await CompiledClients.built(RUST);
  const data = await digits(folder, IMAGES);

  step("starting Mosquitto, RabbitMQ, Chromium and the server");
  const mosquitto = stack.use(await Mosquitto.start());
  const rabbitmq = stack.use(await Rabbitmq.start());
  const log = new Awaitable<LogLine>();
  const server = stack.use(await openServer({ mosquitto, rabbitmq, log }));
  const urls = new Map(server.addresses.map(({ wire, url }) => [wire, url]));
  const chromium = stack.use(await Chromium.open());

  step(`training, ${ROUNDS} rounds with ${CLIENTS} clients`);
  const seats: Seat[] = [];
  const share = () => `${seats.length + 1}/${CLIENTS}`;
  const seat = (id: string, software: string, wire: string, start: Start) => {
    const out = join(folder.path, `${id}.safetensors`);
    const url = urls.get(wire) ?? "";
    const client = stack.use(start({ wire, url, id, data, share: share(), out }));
    seats.push({ id, software, wire, sha256: finalModel(client, out) });
  };
  for (const [wire, library] of Object.entries(PYTHON_LIBRARIES)) {
    seat(`python-${wire}`, `Python, ${library}`, wire, (spec) => python.join(spec));
  }
  seat("go-grpc", "Go, grpc-go", "grpc", (spec) => go.start(spec));
  seat("rust-mqtt", "Rust, rumqttc", "mqtt", (spec) => rust.start(spec));
  for (const wire of ["mqtt@broker", "amqp@broker", "quic"]) {
    const through =
      { "mqtt@broker": " through Mosquitto", "amqp@broker": " through RabbitMQ" }[wire];
    seat(`own-${wire.replace("@", "-")}`, `tributary join${through ?? ""}`, wire, ownClient);
  }
  const browser = { id: "browser", software: "Chromium, tfjs", wire: "quic" };
  const sha256 = inBrowser(chromium, `${server.webUrl}join/`, { id: browser.id, share: share() });
  seats.push({ ...browser, sha256 });
  // A client that fails ends the wait for the others.
  const members = await Promise.all(
    seats.map(async ({ sha256, ...member }) => ({ ...member, sha256: await sha256 })),
  );
  const outcome = await server.finished;
  const closed = log.all.filter(({ message }) => message === "round closed");
  const { fields } = await log.find(({ message, fields }) =>
    message === "model evaluated" && fields.round === ROUNDS
  );
  return {
    members,
    outcome,
    accuracy: Number(fields.accuracy),
    counted: closed.map(({ fields: { clients } }) => Number(clients)),
  };
}

const PYTHON_LIBRARIES = {
  mqtt: "paho-mqtt",
  amqp: "pika",
  grpc: "grpcio",
  quic: "aioquic",
  dds: "cyclonedds",
} as const;

async function openServer({ mosquitto, rabbitmq, log }: {
  readonly mosquitto: Mosquitto;
  readonly rabbitmq: Rabbitmq;
  readonly log: Awaitable<LogLine>;
}): Promise<FederationServer> {
  const ports = Object.fromEntries([...PROTOCOLS, "web"].map((wire) => [`${wire}-port`, "0"]));
  const { config } = readConfig({
    flags: {
      ...ports,
      "mqtt-broker": mosquitto.url,
      "amqp-broker": rabbitmq.url,
      "dds-library": findLibrary() ?? await fetchLibrary(),
      "rounds": String(ROUNDS),
      "min-clients": String(CLIENTS),
      "test-data": "mnist:test",
      // Of several parts, more than the window holds.
      "part-bytes": "16384",
      "window-bytes": "65536",
    },
  });
  return await FederationServer.open({ config, events: eventsTo(log), metrics: new Metrics() });
}

/** `tributary join`, which knows shares as part of the data. */
function ownClient({ url, id, data, share, out }: ClientSpec): ClientProcess {
  const args = ["join", url, "--once", "--data", `${data}:share=${share},alpha=100`, "--id", id];
  return new ClientProcess(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", MAIN, ...args, "--out", out],
  });
}

async function finalModel(client: ClientProcess, out: string): Promise<string> {
  if (await client.ended() !== 0) throw new Error(client.lines.all.join("\n"));
  return createHash("sha256").update(await Deno.readFile(out)).digest("hex");
}

async function inBrowser(
  chromium: Chromium,
  page: string,
  { id, share }: { readonly id: string; readonly share: string },
): Promise<string> {
  const tab = await chromium.show(page);
  const [index = "", shares = ""] = share.split("/");
  await tab.fill("#client", id);
  await tab.fill("#share", index);
  await tab.fill("#shares", shares);
  await tab.click("#join");
  return await tab.says("#sha256", /^[0-9a-f]{64}$/);
}
