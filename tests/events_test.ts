import assert from "node:assert/strict";
import { Verdict } from "../src/contract/federation_pb.ts";
import { type Events, observeWire, openEvents, verdictName } from "../src/events.ts";
import { openLog } from "../src/log.ts";
import { Metrics } from "../src/metrics.ts";

/** One example of every event; the type sees to it that none is missing. */
const examples: { [Name in keyof Events]: Parameters<Events[Name]>[0] } = {
  runStarted: { runId: "8f3a", name: "default", round: 1, rounds: 5 },
  runRestored: { runId: "8f3a", round: 3, updates: 2, clients: 4 },
  stateSwept: { files: 2, bytes: 1024 },
  updateLost: { client: "edge-1", round: 2, file: "updates/2-4.safetensors", reason: "missing" },
  runStopped: { reason: "rounds", round: 5, seconds: 41.2 },
  gathering: { clients: 1, wanted: 2 },
  deserted: { phase: "gathering", round: 1 },
  clientJoined: { client: "edge-1", wire: "mqtt", samples: 100, software: "test 1" },
  tokensRevoked: { clients: 2 },
  clientReplaced: { client: "edge-1", wire: "mqtt", by: "quic" },
  clientLeft: { client: "edge-1", reason: "silent" },
  routeAttached: { client: "edge-1", wire: "mqtt" },
  routeDetached: { client: "edge-1", wire: "mqtt", reason: "connection lost" },
  roundStarted: { round: 2, clients: 5 },
  roundClosed: { round: 2, cause: "quorum", clients: 4, selected: 5, samples: 400, seconds: 3.5 },
  updateAccepted: { client: "edge-1", wire: "mqtt", round: 2, samples: 100, bytes: 4096 },
  updateRefused: {
    client: "edge-1",
    wire: "mqtt",
    round: 2,
    verdict: Verdict.NON_FINITE,
    detail: "Tensor w holds NaN",
  },
  messageRefused: { wire: "amqp", verdict: Verdict.MALFORMED, detail: "Not a ClientMessage" },
  evaluated: { round: 2, by: "server", samples: 10_000, loss: 0.2, accuracy: 0.95 },
  modelSaved: { round: 2, sha256: "abcd", bytes: 4096, seconds: 0.1, path: "state/model" },
  modelConfirmed: { client: "edge-1", wire: "mqtt", sha256: "abcd" },
  stateFull: { round: 2, detail: "the disk is full" },
  vaultFailed: { reason: "the disk is full" },
  serverFailed: { what: "judge", reason: "a bug" },
  certificateSeen: {
    certificate: "tls",
    standing: "soon",
    expires: "2026-12-01T00:00:00.000Z",
    todo: "renew it",
  },
  wireUp: { wire: "mqtt", url: "mqtt://127.0.0.1:1883/default" },
  wireOff: { wire: "dds", reason: "libddsc was not found" },
  wireDown: { wire: "amqp", reason: "Worker failed" },
  wireRestarting: { wire: "amqp", attempt: 1, delayMs: 250 },
  peerConnected: { wire: "quic", remote: "127.0.0.1:5" },
  peerDisconnected: { wire: "quic", remote: "127.0.0.1:5", reason: "closed" },
  peerRefused: { wire: "quic", remote: "127.0.0.1:5", reason: "wrong ALPN" },
  webUp: { url: "http://127.0.0.1:8080/" },
  webDown: { reason: "Worker failed" },
};

interface Observed extends Disposable {
  readonly events: Events;
  readonly metrics: Metrics;
  /** The lines written so far, as JSON. */
  lines(): Record<string, unknown>[];
}

function observed(): Observed {
  const texts: string[] = [];
  const output = { write: (text: string) => void texts.push(text), colours: false };
  const log = openLog({ level: "debug", format: "json", output });
  const metrics = new Metrics();
  return {
    events: openEvents(log, metrics),
    metrics,
    lines: () => texts.map((text) => JSON.parse(text)),
    [Symbol.dispose]: () => log[Symbol.dispose](),
  };
}

/** The samples whose values a call changes; memory is measured, and changes by itself. */
async function changed(metrics: Metrics, call: () => void): Promise<string[]> {
  const before = new Set((await metrics.text()).split("\n"));
  call();
  const after = (await metrics.text()).split("\n");
  return after.filter((line) => !before.has(line) && !line.startsWith("tributary_memory_bytes"));
}

function emit<Name extends keyof Events>(events: Events, name: Name): void {
  (events[name] as (facts: unknown) => void)(examples[name]);
}

for (const name of Object.keys(examples) as (keyof Events)[]) {
  Deno.test(`events.${name} writes one line and bumps a metric`, async () => {
    using seen = observed();
    const samples = await changed(seen.metrics, () => emit(seen.events, name));
    assert.equal(seen.lines().length, 1);
    // A gauge that is set to 0 shows in its first sample of a label only.
    assert.ok(samples.length > 0 || name === "webDown", "no metric changed");
  });
}

Deno.test("events write a constant message with the data in fields", () => {
  using seen = observed();
  seen.events.roundClosed(examples.roundClosed);
  seen.events.wireRestarting(examples.wireRestarting);
  const [closed, restarting] = seen.lines().map(({ time: _, ...line }) => line);
  assert.deepEqual(closed, { level: "info", message: "round closed", ...examples.roundClosed });
  assert.deepEqual(restarting, {
    level: "warning",
    message: "wire restarting",
    wire: "amqp",
    attempt: 1,
    delay_ms: 250,
  });
});

Deno.test("events.updateRefused counts by wire and verdict, in the words of its line", async () => {
  using seen = observed();
  const samples = await changed(seen.metrics, () => {
    seen.events.updateRefused(examples.updateRefused);
    seen.events.updateRefused(examples.updateRefused);
  });
  assert.deepEqual(samples, ['tributary_updates_total{wire="mqtt",verdict="non_finite"} 2']);
  assert.equal(seen.lines()[0]?.verdict, "non_finite");
});

Deno.test("events log a refusal that healthy clients meet at debug, any other as a warning", () => {
  using seen = observed();
  for (const verdict of [Verdict.DUPLICATE, Verdict.STALE, Verdict.BUSY, Verdict.WRONG_SHAPE]) {
    seen.events.updateRefused({ ...examples.updateRefused, verdict });
  }
  assert.deepEqual(seen.lines().map(({ level }) => level), ["debug", "debug", "debug", "warning"]);
});

Deno.test("events log what happens for each update, route and connection at debug", () => {
  using seen = observed();
  const usual = [
    "updateAccepted",
    "routeAttached",
    "routeDetached",
    "peerConnected",
    "peerDisconnected",
  ] as const;
  for (const name of usual) emit(seen.events, name);
  assert.deepEqual(new Set(seen.lines().map(({ level }) => level)), new Set(["debug"]));
});

Deno.test("events keep the gauge of clients at those who joined and have not left", async () => {
  using seen = observed();
  for (const client of ["a", "b", "c"]) {
    seen.events.clientJoined({ ...examples.clientJoined, client });
  }
  seen.events.clientLeft({ client: "b", reason: "done" });
  assert.match(await seen.metrics.text(), /^tributary_clients 2$/m);
});

Deno.test("events turn a wire's gauge off and on again", async () => {
  using seen = observed();
  const gauge = async () =>
    /^tributary_wire_up\{wire="amqp"\} (.)$/m.exec(await seen.metrics.text())?.[1];
  seen.events.wireUp({ wire: "amqp", url: "amqp://127.0.0.1:5672/default" });
  assert.equal(await gauge(), "1");
  seen.events.wireDown({ wire: "amqp", reason: "Worker failed" });
  assert.equal(await gauge(), "0");
  seen.events.wireUp({ wire: "amqp", url: "amqp://127.0.0.1:5672/default" });
  assert.equal(await gauge(), "1");
});

Deno.test("observeWire passes on each event of a protocol server", () => {
  using seen = observed();
  observeWire(seen.events, "grpc", { kind: "connected", remote: "127.0.0.1:5" });
  observeWire(seen.events, "grpc", { kind: "disconnected", remote: "127.0.0.1:5", reason: "end" });
  observeWire(seen.events, "grpc", { kind: "refused", remote: "127.0.0.1:6", reason: "garbage" });
  assert.deepEqual(seen.lines().map(({ level, message, wire }) => [level, message, wire]), [
    ["debug", "peer connected", "grpc"],
    ["debug", "peer disconnected", "grpc"],
    ["warning", "peer refused", "grpc"],
  ]);
});

Deno.test("verdictName writes every verdict in one way", () => {
  assert.equal(verdictName(Verdict.WRONG_SHAPE), "wrong_shape");
  const verdicts = Object.values(Verdict).filter((verdict) => typeof verdict === "number");
  assert.equal(new Set(verdicts.map(verdictName)).size, verdicts.length);
});

Deno.test("Metrics.text reads the wires' traffic when it is asked, never twice as much", async () => {
  const metrics = new Metrics();
  metrics.watchTraffic(() => Promise.resolve([{ wire: "mqtt", up: 10, down: 20, connections: 3 }]));
  await metrics.text();
  const text = await metrics.text();
  assert.match(text, /^tributary_wire_bytes_total\{wire="mqtt",direction="up"\} 10$/m);
  assert.match(text, /^tributary_wire_bytes_total\{wire="mqtt",direction="down"\} 20$/m);
  assert.match(text, /^tributary_connections\{wire="mqtt"\} 3$/m);
});

Deno.test("Metrics of two servers in one process do not mix", async () => {
  const [one, other] = [new Metrics(), new Metrics()];
  one.clients.inc();
  assert.match(await one.text(), /^tributary_clients 1$/m);
  assert.match(await other.text(), /^tributary_clients 0$/m);
});
