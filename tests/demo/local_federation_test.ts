import assert from "node:assert/strict";
import { join } from "node:path";
import { benchModel } from "../../src/bench/model.ts";
import { readConfig } from "../../src/config.ts";
import {
  ClientFailed,
  LocalFederation,
  type LocalFederationSpec,
} from "../../src/demo/local_federation.ts";
import { openEvents } from "../../src/events.ts";
import type { Fields } from "../../src/log.ts";
import { Metrics } from "../../src/metrics.ts";
import { Awaitable } from "../support/awaitable.ts";

interface LogLine {
  readonly message: string;
  readonly fields: Fields;
}

interface Trial extends AsyncDisposable {
  readonly federation: LocalFederation;
  readonly log: Awaitable<LogLine>;
}

/** The bench's client learns at once, and needs no data. */
const echo: LocalFederationSpec["client"] = ({ wire, url }) => ({
  args: ["bench", "--client", url, "--id", wire],
});

/** A run of one round on MQTT and gRPC. */
async function open(
  { client = echo, signal = new AbortController().signal, minClients = 2 }:
    & Partial<LocalFederationSpec>
    & { minClients?: number } = {},
): Promise<Trial> {
  await using stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const model = join(directory, "model.safetensors");
  await Deno.writeFile(model, benchModel(4000));
  const { config } = readConfig({
    flags: {
      protocols: "mqtt,grpc",
      "mqtt-port": "0",
      "grpc-port": "0",
      "min-clients": String(minClients),
      rounds: "1",
      model,
      web: false,
    },
  });
  const log = new Awaitable<LogLine>();
  const metrics = new Metrics();
  const write = (_level: string, message: string, fields: Fields) => log.push({ message, fields });
  const parts = { config, metrics, events: openEvents({ write }, metrics) };
  const federation = stack.use(await LocalFederation.open({ parts, client, signal }));
  const all = stack.move();
  return { federation, log, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() };
}

Deno.test("LocalFederation runs a server and a client process on each of its wires", async () => {
  await using trial = await open();
  const { rounds, confirmed } = await trial.federation.finished();
  assert.equal(rounds, 1);
  assert.deepEqual(confirmed, ["grpc", "mqtt"]);
  assert.deepEqual(await trial.federation.ended(), new Map([["mqtt", 0], ["grpc", 0]]));
});

Deno.test("LocalFederation.finished() says which client failed, and why", async () => {
  await using trial = await open({
    client: (seat) =>
      seat.wire === "grpc" ? { args: ["join", seat.url, "--data", "none.csv"] } : echo(seat),
  });
  await assert.rejects(
    trial.federation.finished(),
    (error) =>
      error instanceof ClientFailed &&
      /^the grpc client ended with code 2: error: --data: /.test(error.message),
  );
});

Deno.test("LocalFederation.kill() is no failure, and another process can take the place", async () => {
  // Nobody is killed in the last moment of a run that waits for a third client.
  await using trial = await open({ minClients: 3 });
  const attached = ({ message, fields }: LogLine) =>
    message === "route attached" && fields.wire === "grpc";
  await trial.log.find(attached);
  await trial.federation.kill("grpc");
  assert.deepEqual([...trial.federation.clients.keys()], ["mqtt"]);
  trial.federation.start("grpc");
  const seen = await Promise.race([trial.log.some(2, attached), trial.federation.finished()]);
  assert.ok(Array.isArray(seen));
});

Deno.test("LocalFederation.finished() rejects with the signal's reason", async () => {
  const stop = new AbortController();
  await using trial = await open({ signal: stop.signal });
  const finished = trial.federation.finished();
  stop.abort(new Error("enough"));
  await assert.rejects(finished, /enough/);
  await assert.rejects(trial.federation.finished(), /enough/);
});

Deno.test("LocalFederation's disposal ends every process and socket", async () => {
  const trial = await open();
  await trial.log.find(({ message }) => message === "client joined");
  const pids = [...trial.federation.clients.values()].map((client) => client.pid);
  await trial[Symbol.asyncDispose]();
  assert.equal(pids.length, 2);
  for (const pid of pids) assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
});
