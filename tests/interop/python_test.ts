/** The examples in Python, on the stock libraries of five wires, against the real server. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Config, readConfig } from "../../src/config.ts";
import { serverMessage } from "../../src/contract/codec.ts";
import { type ClientMessage, Verdict } from "../../src/contract/federation_pb.ts";
import type { Answer, Link, WireName } from "../../src/contract/protocol_server.ts";
import { Metrics } from "../../src/metrics.ts";
import { fetchLibrary } from "../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../src/protocols/dds/library.ts";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { linksOf } from "../../src/server/links.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { RULE, tokenFor } from "../support/tokens.ts";
import { ClientProcess } from "./client_process.ts";
import { digits } from "./digits.ts";
import { type Meddling, meddling } from "./meddling_link.ts";
import { Stranger } from "./stranger.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;
const library = findLibrary() ?? await fetchLibrary();

const ports = Object.fromEntries([...PROTOCOLS, "web"].map((wire) => [`${wire}-port`, "0"]));

function configure(flags: Readonly<Record<string, string>>): Config {
  return readConfig({ flags: { ...ports, "dds-library": library, ...flags } }).config;
}

/** `tributary join`. */
function ownClient(
  url: string,
  { id, data, out }: { id: string; data: string; out: string },
): ClientProcess {
  const args = ["join", url, "--once", "--data", data, "--id", id, "--out", out];
  return new ClientProcess(Deno.execPath(), { args: ["run", "--quiet", "-A", MAIN, ...args] });
}

async function sha256Of(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

async function logged(
  log: Awaitable<LogLine>,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<LogLine> {
  return await log.find((line) =>
    line.message === message &&
    Object.entries(fields).every(([name, value]) => line.fields[name] === value)
  );
}

Deno.test("five stock Python clients and five of our own train one model, although each of the former is killed in a round and started again", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const stranger = await Stranger.move(folder.path);
  const data = await digits(folder, 10_000);
  const rounds = PROTOCOLS.length + 1;
  const clients = 2 * PROTOCOLS.length;
  const log = new Awaitable<LogLine>();
  const server = stack.use(
    await FederationServer.open({
      config: configure({
        "rounds": String(rounds),
        "min-clients": String(clients),
        "test-data": "mnist:test",
        // Of several parts, more than the window holds.
        "part-bytes": "16384",
        "window-bytes": "65536",
      }),
      events: eventsTo(log),
      metrics: new Metrics(),
    }),
  );
  const own: ClientProcess[] = [];
  const python = new Map<WireName, { client: ClientProcess; start: () => ClientProcess }>();
  for (const [index, { wire, url }] of server.addresses.entries()) {
    const id = `python-${wire}`;
    const share = `${index + 1}/${clients}`;
    const out = join(folder.path, `${id}.safetensors`);
    const start = () => stack.use(stranger.join({ wire, url, id, data, share, out }));
    python.set(wire, { client: start(), start });
    own.push(stack.use(ownClient(url, {
      id: wire,
      data: `${data}:share=${index + 1}/${PROTOCOLS.length},alpha=100`,
      out: join(folder.path, `${wire}.safetensors`),
    })));
  }
  for (const [index, wire] of PROTOCOLS.entries()) {
    const known = python.get(wire);
    assert.ok(known);
    await known.client.says(`round ${index + 1} training`);
    await known.client.kill();
    known.client = known.start();
    await logged(log, "round closed", { round: index + 1, clients });
  }
  const outcome = await server.finished;
  const codes = [
    ...own.map((client) => client.ended()),
    ...[...python.values()].map(({ client }) => client.ended()),
  ];
  assert.deepEqual(await Promise.all(codes), codes.map(() => 0));
  assert.equal(outcome.confirmed.length, clients);
  for (const wire of PROTOCOLS) {
    for (const id of [wire, `python-${wire}`]) {
      assert.equal(await sha256Of(join(folder.path, `${id}.safetensors`)), outcome.sha256, id);
    }
  }
  const { fields } = await logged(log, "model evaluated", { round: rounds });
  assert.ok(Number(fields.accuracy) > 0.9, `accuracy ${fields.accuracy}`);
});

Deno.test("each Python client decodes the test vectors of wire.md, with examples/python and proto alone", async () => {
  await using folder = await SampleFolder.open();
  const stranger = await Stranger.move(folder.path);
  for (const wire of PROTOCOLS) {
    const said = await stranger.run(`${wire}_client.py`, "--self-test");
    assert.match(said, new RegExp(`^${wire}: \\d+ messages of wire.md`));
  }
});

/** What each client is made to go through, and what it did then. */
class Trials {
  readonly #log = new Map<string, string[]>();
  #offsets = new Map<string, bigint>();

  of(client: string): readonly string[] {
    return this.#log.get(client) ?? [];
  }

  meddle({ clientId, sequence, runId, body }: ClientMessage): Meddling {
    const seen = this.of(clientId);
    const note = (what: string) => this.#log.set(clientId, [...seen, what]);
    if (body.case === "hello" && seen.at(-1) === "cut") {
      note(body.value.session.length > 0 ? "resumed" : "forgot its session");
    }
    if (body.case !== "updatePart") return "pass";
    const { offset } = body.value;
    // The third part is not taken once; those behind it meet a real gap.
    if (offset > 20_000n && seen.length === 0) {
      note("busy");
      const value = { sequence, verdict: Verdict.BUSY, retryAfterMs: 100 };
      return serverMessage({ runId, body: { case: "receipt", value } }) as Answer;
    }
    if (offset > 100_000n && seen.at(-1) === "busy") {
      note("cut");
      return "cut";
    }
    if (seen.at(-1) === "resumed") note(offset > 0n ? "went on" : "began again");
    return "pass";
  }
}

Deno.test("each Python client bears a late Welcome, waits when told to, fills gaps, and goes on with session and upload after a lost connection", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const stranger = await Stranger.move(folder.path);
  const data = await digits(folder, 2000);
  const trials = new Trials();
  const config = configure({
    "rounds": "2",
    "min-clients": String(PROTOCOLS.length),
    "evaluate-fraction": "1",
    "part-bytes": "16384",
    "window-bytes": "65536",
  });
  const log = new Awaitable<LogLine>();
  const server = stack.use(
    await FederationServer.open({
      config,
      events: eventsTo(log),
      metrics: new Metrics(),
      wires: (runId) =>
        new Map(
          [...linksOf(config, { runId })].map(([wire, make]): [WireName, () => Link] => [
            wire,
            () => meddling(make(), ({ message }) => trials.meddle(message)),
          ]),
        ),
    }),
  );
  const clients = server.addresses.map(({ wire, url }, index) =>
    stack.use(stranger.join({
      wire,
      url,
      id: wire,
      data,
      share: `${index + 1}/${PROTOCOLS.length}`,
      out: join(folder.path, `${wire}.safetensors`),
    }))
  );
  const outcome = await server.finished;
  assert.deepEqual(await Promise.all(clients.map((client) => client.ended())), [0, 0, 0, 0, 0]);
  for (const wire of PROTOCOLS) {
    assert.deepEqual(trials.of(wire), ["busy", "cut", "resumed", "went on"], wire);
    assert.equal(await sha256Of(join(folder.path, `${wire}.safetensors`)), outcome.sha256, wire);
  }
  await logged(log, "model evaluated", { round: 2, by: "clients", clients: PROTOCOLS.length });
});

Deno.test("Python clients with tokens take part on every wire, and those without do not", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const stranger = await Stranger.move(folder.path);
  const data = await digits(folder, 2000);
  const key = join(folder.path, "token.key");
  await Deno.writeFile(key, RULE.key);
  const log = new Awaitable<LogLine>();
  const server = stack.use(
    await FederationServer.open({
      config: configure({
        "rounds": "2",
        "min-clients": String(PROTOCOLS.length),
        "part-bytes": "16384",
        "tokens": "required",
        "token-key": key,
      }),
      events: eventsTo(log),
      metrics: new Metrics(),
    }),
  );
  const clients = server.addresses.map(({ wire, url }, index) => {
    const share = `${index + 1}/${PROTOCOLS.length}`;
    const out = join(folder.path, `${wire}.safetensors`);
    const start = (token?: string) =>
      stack.use(stranger.join({ wire, url, id: wire, data, share, out, ...(token && { token }) }));
    return { wire, out, start };
  });
  for (const { wire, start } of clients) {
    assert.equal(await start().ended(), 1, wire);
    if (wire === "quic") assert.equal(await start(tokenFor("somebody")).ended(), 1, wire);
  }
  const joined = clients.map(({ wire, start }) => start(tokenFor(wire)));
  const outcome = await server.finished;
  assert.deepEqual(await Promise.all(joined.map((client) => client.ended())), [0, 0, 0, 0, 0]);
  for (const { wire, out } of clients) assert.equal(await sha256Of(out), outcome.sha256, wire);
});

Deno.test("Python clients on every wire come back to a server that was started again", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const stranger = await Stranger.move(folder.path);
  const data = await digits(folder, 2000);
  const flags = {
    "state": join(folder.path, "state"),
    "rounds": "3",
    "min-clients": String(PROTOCOLS.length),
  };
  const clients: ClientProcess[] = [];
  const portsOfFirst: Record<string, string> = {};
  {
    const log = new Awaitable<LogLine>();
    await using first = await FederationServer.open({
      config: configure(flags),
      events: eventsTo(log),
      metrics: new Metrics(),
    });
    for (const [index, { wire, url }] of first.addresses.entries()) {
      portsOfFirst[`${wire}-port`] = new URL(url).port;
      const share = `${index + 1}/${PROTOCOLS.length}`;
      const out = join(folder.path, `${wire}.safetensors`);
      clients.push(stack.use(stranger.join({ wire, url, id: wire, data, share, out })));
    }
    await logged(log, "round started", { round: 2 });
    await first.farewell("the test starts the server again");
  }
  const second = stack.use(
    await FederationServer.open({
      config: configure({ ...flags, ...portsOfFirst }),
      events: eventsTo(new Awaitable<LogLine>()),
      metrics: new Metrics(),
    }),
  );
  const outcome = await second.finished;
  assert.deepEqual(await Promise.all(clients.map((client) => client.ended())), [0, 0, 0, 0, 0]);
  for (const wire of PROTOCOLS) {
    assert.equal(await sha256Of(join(folder.path, `${wire}.safetensors`)), outcome.sha256, wire);
  }
});
