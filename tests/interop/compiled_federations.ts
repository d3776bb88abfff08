/** What the example clients of a compiled language must show, whichever it is. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Config, readConfig } from "../../src/config.ts";
import type { ClientMessage } from "../../src/contract/federation_pb.ts";
import type { Link, WireName } from "../../src/contract/protocol_server.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { linksOf } from "../../src/server/links.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { Program } from "../support/program.ts";
import { ClientProcess } from "./client_process.ts";
import { CompiledClients, type Language } from "./compiled_clients.ts";
import { digits, digitsCsv } from "./digits.ts";
import { type Meddling, meddling } from "./meddling_link.ts";
import { PASSED, Trials } from "./trials.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;
const WIRES = ["mqtt", "grpc"] as const;

const flagsOfAll: Readonly<Record<string, string>> = {
  "protocols": WIRES.join(","),
  // Of several parts, more than the window holds.
  "part-bytes": "16384",
  "window-bytes": "65536",
};
const anyPorts = { "mqtt-port": "0", "grpc-port": "0", "web-port": "0" };

function configure(flags: Readonly<Record<string, string>>): Config {
  return readConfig({ flags: { ...flagsOfAll, ...anyPorts, ...flags } }).config;
}

/** `tributary join`. */
function ownClient(url: string, flags: { id: string; data: string; out: string }): ClientProcess {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  return new ClientProcess(Deno.execPath(), {
    args: ["run", "--quiet", "-A", MAIN, "join", url, "--once", ...args],
  });
}

async function sha256Of(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

function meddlingLinks(config: Config, meddle: (message: ClientMessage) => Meddling) {
  return (runId: string): Map<WireName, () => Link> =>
    new Map(
      [...linksOf(config, { runId })].map(([wire, make]) => [
        wire,
        () => meddling(make(), ({ message }) => meddle(message)),
      ]),
    );
}

export function testCompiledClients(language: Language): void {
  const { name } = language;

  Deno.test(`${name}: the clients build and decode the test vectors of wire.md, with examples/${language.folder} and proto alone`, async () => {
    await CompiledClients.built(language);
  });

  Deno.test(`${name}: clients on gRPC and MQTT and two of our own train one model, although each of the former is killed in a round and started again`, async () => {
    const clients = await CompiledClients.built(language);
    await using folder = await SampleFolder.open();
    await using stack = new AsyncDisposableStack();
    const images = await digits(folder, 8000);
    const table = await digitsCsv(folder, 2000);
    const log = new Awaitable<LogLine>();
    const all = 2 * WIRES.length;
    const server = stack.use(
      await FederationServer.open({
        config: configure({ "rounds": "3", "min-clients": `${all}`, "test-data": "mnist:test" }),
        events: eventsTo(log),
        metrics: new Metrics(),
      }),
    );
    const out = (id: string) => join(folder.path, `${id}.safetensors`);
    const own: ClientProcess[] = [];
    const theirs: { client: ClientProcess; start: () => ClientProcess }[] = [];
    for (const [index, { wire, url }] of server.addresses.entries()) {
      const id = `their-${wire}`;
      const data = wire === "mqtt" ? table : images;
      const share = `${index + 1}/${all}`;
      const start = () => stack.use(clients.start({ wire, url, id, data, share, out: out(id) }));
      theirs.push({ client: start(), start });
      own.push(stack.use(ownClient(url, {
        id: `own-${wire}`,
        data: `${images}:share=${index + 1}/${WIRES.length},alpha=100`,
        out: out(`own-${wire}`),
      })));
    }
    for (const [index, their] of theirs.entries()) {
      await their.client.says(`round ${index + 1} training`);
      await their.client.kill();
      their.client = their.start();
      await log.find(({ message, fields }) =>
        message === "round closed" && fields.round === index + 1 && fields.clients === all
      );
    }
    const outcome = await server.finished;
    const ends = [...own, ...theirs.map(({ client }) => client)].map((client) => client.ended());
    assert.deepEqual(await Promise.all(ends), ends.map(() => 0));
    assert.equal(outcome.confirmed.length, all);
    for (const id of WIRES.flatMap((wire) => [`own-${wire}`, `their-${wire}`])) {
      assert.equal(await sha256Of(out(id)), outcome.sha256, id);
    }
    const { fields } = await log.find(({ message, fields }) =>
      message === "model evaluated" && fields.round === 3
    );
    assert.ok(Number(fields.accuracy) > 0.9, `accuracy ${fields.accuracy}`);
  });

  Deno.test(`${name}: each client bears a late Welcome, waits when told to, fills gaps, goes on with session and upload after a lost connection, begins anew without a session, and takes DUPLICATE for an answer`, async () => {
    const clients = await CompiledClients.built(language);
    await using folder = await SampleFolder.open();
    await using stack = new AsyncDisposableStack();
    const data = await digits(folder, 2000);
    const trials = new Trials(WIRES);
    const config = configure({
      "rounds": `${WIRES.length}`,
      "min-clients": `${WIRES.length}`,
      "evaluate-fraction": "1",
    });
    const log = new Awaitable<LogLine>();
    const server = stack.use(
      await FederationServer.open({
        config,
        events: eventsTo(log),
        metrics: new Metrics(),
        wires: meddlingLinks(config, (message) => trials.meddle(message)),
      }),
    );
    const out = (wire: string) => join(folder.path, `${wire}.safetensors`);
    const processes = server.addresses.map(({ wire, url }, index) => {
      const share = `${index + 1}/${WIRES.length}`;
      return stack.use(clients.start({ wire, url, id: wire, data, share, out: out(wire) }));
    });
    const outcome = await server.finished;
    assert.deepEqual(await Promise.all(processes.map((each) => each.ended())), [0, 0]);
    for (const each of processes) {
      await each.lines.find((line) => /^update of round \d: duplicate/.test(line));
    }
    for (const wire of WIRES) {
      assert.deepEqual(trials.of(wire), PASSED, wire);
      assert.equal(await sha256Of(out(wire)), outcome.sha256, wire);
    }
    await log.find(({ message, fields }) =>
      message === "model evaluated" && fields.round === WIRES.length &&
      fields.by === "clients" && fields.clients === WIRES.length
    );
  });

  Deno.test(`${name}: clients come back to a server that was killed in a round and started again`, async () => {
    const clients = await CompiledClients.built(language);
    await using folder = await SampleFolder.open();
    await using stack = new AsyncDisposableStack();
    const data = await digits(folder, 2000);
    const flags = {
      ...flagsOfAll,
      "rounds": "3",
      "min-clients": `${WIRES.length}`,
      "state": join(folder.path, "state"),
    };
    const first = stack.use(serve({ ...flags, ...anyPorts }));
    const out = (wire: string) => join(folder.path, `${wire}.safetensors`);
    const processes: ClientProcess[] = [];
    const ports: Record<string, string> = { "web-port": "0" };
    for (const [index, wire] of WIRES.entries()) {
      const url = await first.says(new RegExp(`join '(${wire}://[^']+)'`));
      ports[`${wire}-port`] = new URL(url).port;
      const share = `${index + 1}/${WIRES.length}`;
      processes.push(
        stack.use(clients.start({ wire, url, id: wire, data, share, out: out(wire) })),
      );
    }
    await Promise.all(processes.map((each) => each.says("round 2 training")));
    first.kill("SIGKILL");
    await first.ended();
    await Promise.all(processes.map((each) => each.says("connection lost")));
    const second = stack.use(serve({ ...flags, ...ports }));
    const sha256 = await second.says(/^sha256\s+([0-9a-f]{64})$/);
    assert.deepEqual(await Promise.all(processes.map((each) => each.ended())), [0, 0]);
    for (const wire of WIRES) assert.equal(await sha256Of(out(wire)), sha256, wire);
    assert.equal((await second.ended()).code, 0);
  });

  Deno.test(`${name}: a client whose id another one takes does not dial again`, async () => {
    const clients = await CompiledClients.built(language);
    await using folder = await SampleFolder.open();
    await using stack = new AsyncDisposableStack();
    const data = await digits(folder, 1000);
    const all = WIRES.length + 1; // the last one begins the run, when the others have changed places
    const config = configure({ "rounds": "1", "min-clients": `${all}` });
    const downloaded = new Awaitable<string>();
    const server = stack.use(
      await FederationServer.open({
        config,
        events: eventsTo(new Awaitable<LogLine>()),
        metrics: new Metrics(),
        wires: meddlingLinks(config, ({ clientId, body }) => {
          if (body.case === "modelHeld" && body.value.sha256.length > 0) downloaded.push(clientId);
          return "pass";
        }),
      }),
    );
    const start = ({ wire, url }: { wire: string; url: string }, id = wire) => {
      const out = join(folder.path, `${id}.safetensors`);
      return stack.use(clients.start({ wire, url, id, data, share: "1/1", out }));
    };
    const newer: ClientProcess[] = [];
    for (const address of server.addresses) {
      const { wire } = address;
      const older = start(address);
      await downloaded.find((client) => client === wire); // it has nothing more to say
      newer.push(start(address));
      assert.equal(await older.ended(), 1);
      await older.says("refused");
      assert.ok(!older.lines.all.some((line) => line.startsWith("connection lost")));
    }
    for (const address of server.addresses.slice(0, 1)) newer.push(start(address, "last"));
    assert.equal((await server.finished).confirmed.length, all);
    assert.deepEqual(await Promise.all(newer.map((each) => each.ended())), newer.map(() => 0));
  });
}

/** `tributary serve`. */
function serve(flags: Readonly<Record<string, string>>): Program {
  return new Program([
    "serve",
    ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
  ]);
}
