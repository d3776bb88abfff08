/** Other people's MQTT over WebSocket: paho-mqtt, mqtt.js on Node's sockets, mqtt.js in a browser. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { SampleFolder } from "../client/sample_folder.ts";
import { urlOf } from "../protocols/subject.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine } from "../support/federation.ts";
import { Member } from "../support/member.ts";
import { Chromium } from "./chromium.ts";
import { ClientProcess } from "./client_process.ts";
import { digits } from "./digits.ts";
import { dialFrom, PageServer } from "./mqtt_page.ts";
import { Stranger } from "./stranger.ts";

const MAIN = new URL("../../main.ts", import.meta.url).href;
const ROUNDS = 2;
const PART_BYTES = 16_384;

async function sha256Of(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

function openServer(
  flags: Readonly<Record<string, string>>,
  log = new Awaitable<LogLine>(),
): Promise<FederationServer> {
  const ports = { "mqtt-port": "0", "mqtt-websocket-port": "0", "web-port": "0" };
  const { config } = readConfig({
    flags: {
      protocols: "mqtt",
      ...ports,
      "part-bytes": String(PART_BYTES),
      "window-bytes": "65536",
      "heartbeat-interval-ms": "60000", // those in a page send none
      ...flags,
    },
  });
  return FederationServer.open({ config, events: eventsTo(log), metrics: new Metrics() });
}

/** A client in a page. It learns nothing: its update is the model it was given. */
async function takePart(member: Member): Promise<string> {
  await member.hello({ samples: 100 });
  for (let round = 1; round <= ROUNDS; round++) {
    const task = await member.task(round);
    const model = await member.model(round - 1);
    const receipt = await member.update(task, model, { partBytes: PART_BYTES });
    assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
  }
  const model = await member.model(ROUNDS);
  assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
  return createHash("sha256").update(model).digest("hex");
}

Deno.test("paho-mqtt, mqtt.js and mqtt.js in Chromium, each in MQTT 5 and 3.1.1, train one model by WebSocket", async () => {
  await using folder = await SampleFolder.open();
  await using stack = new AsyncDisposableStack();
  const stranger = await Stranger.move(folder.path);
  const data = await digits(folder, 4000);
  const server = stack.use(
    await openServer({ "rounds": String(ROUNDS), "min-clients": "6" }),
  );
  const url = urlOf(server.addresses, "mqtt+ws");
  const out = (id: string) => join(folder.path, `${id}.safetensors`);
  const programs: [id: string, program: ClientProcess][] = ["4", "5"].flatMap((version) => {
    const [paho, own] = [`paho-${version}`, `mqttjs-${version}`];
    const to = `${url}?v=${version}`;
    const args = ["join", to, "--once", "--data", `${data}:share=${version}/5`, "--id", own];
    const theirs = { wire: "mqtt", url: to, id: paho, data, share: `${version}/5`, out: out(paho) };
    return [
      [paho, stack.use(stranger.join(theirs))],
      [
        own,
        stack.use(
          new ClientProcess(Deno.execPath(), {
            args: ["run", "--quiet", "-A", MAIN, ...args, "--out", out(own)],
          }),
        ),
      ],
    ];
  });
  const pages = stack.use(new PageServer());
  const browser = stack.use(await Chromium.open());
  const dial = dialFrom(browser, pages.url);
  const sums = await Promise.all(["4", "5"].map(async (version) => {
    await using member = await Member.connect(dial, `${url}?v=${version}`, `page-${version}`);
    return await takePart(member);
  }));
  const outcome = await server.finished;
  assert.equal(outcome.confirmed.length, 6);
  assert.deepEqual(sums, [outcome.sha256, outcome.sha256]);
  for (const [id, program] of programs) {
    assert.equal(await program.ended(), 0, program.lines.all.join("\n"));
    assert.equal(await sha256Of(out(id)), outcome.sha256, id);
  }
});

Deno.test("a page of a site of another name does not reach MQTT over WebSocket", async () => {
  await using stack = new AsyncDisposableStack();
  const log = new Awaitable<LogLine>();
  const server = stack.use(await openServer({ "min-clients": "2" }, log));
  const { host } = new URL(urlOf(server.addresses, "mqtt+ws"));
  const pages = stack.use(new PageServer());
  const site = "example.test"; // a name for this machine, as any site can give it one
  const browser = stack.use(await Chromium.open(`--host-resolver-rules=MAP ${site} 127.0.0.1`));
  const tab = await browser.show(pages.url.replace("127.0.0.1", site));
  const ended = await tab.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket("ws://${host}", "mqtt");
    socket.onopen = () => resolve("open");
    socket.onclose = () => resolve("closed");
  })`);
  assert.equal(ended, "closed");
  // A browser may open sockets beforehand, and close them unused.
  await log.find(({ message, fields }) =>
    message === "peer refused" &&
    /Pages of http:\/\/example\.test:\d+ may not join/.test(String(fields.reason))
  );
});
