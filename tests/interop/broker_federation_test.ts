/** Whole federations through brokers that come late, die and come back. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { SessionEnded } from "../../src/client/session.ts";
import type { Link, WireName } from "../../src/contract/protocol_server.ts";
import { Metrics } from "../../src/metrics.ts";
import { FederationServer } from "../../src/server/federation_server.ts";
import { linksOf } from "../../src/server/links.ts";
import { Awaitable } from "../support/awaitable.ts";
import { eventsTo, type LogLine, weights } from "../support/federation.ts";
import { valuesOf } from "../support/member.ts";
import { smallConfig } from "../server/small_config.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { withPrograms } from "./brokers/installed.ts";
import { MemberRun, SAMPLES, VALUES } from "./brokers/member_run.ts";
import { Mosquitto } from "./brokers/mosquitto.ts";
import { Rabbitmq } from "./brokers/rabbitmq.ts";
import { meddling } from "./meddling_link.ts";

/** A server with a small model, what it logged, and how it is joined. */
class Scene implements AsyncDisposable {
  readonly log = new Awaitable<LogLine>();
  readonly #stack = new AsyncDisposableStack();
  readonly #directory = this.#stack.use(new StateDirectory());
  #server: FederationServer | undefined;

  /** @param heard Sees each part of an update before the coordinator does. */
  async open(
    flags: Readonly<Record<string, string>>,
    heard: (clientId: string) => void = () => {},
  ): Promise<FederationServer> {
    const config = smallConfig(this.#directory.path, {
      protocols: "mqtt",
      "mqtt-port": "0",
      "part-bytes": "4096",
      "heartbeat-interval-ms": "60000", // nobody is missed while a broker starts
      ...flags,
    });
    Deno.writeFileSync(config.training.model ?? "", weights(new Array(VALUES).fill(0)));
    const wires = (runId: string) =>
      new Map([...linksOf(config, { runId })].map(([wire, make]): [WireName, () => Link] => [
        wire,
        () =>
          meddling(make(), ({ message }) => {
            if (message.body.case === "updatePart") heard(message.clientId);
            return "pass";
          }),
      ]));
    const parts = { config, events: eventsTo(this.log), metrics: new Metrics(), wires };
    return this.#server = this.#stack.use(await FederationServer.open(parts));
  }

  /** @param wire A query may follow, as in `mqtt?v=4`. */
  join(clientId: string, wire: WireName, index: number, held = false): MemberRun {
    const [name, query = ""] = wire.split("?");
    const address = this.#server?.addresses.find((each) => each.wire === name);
    assert.ok(address, `${wire} is not up`);
    const url = new URL(address.url);
    if (query !== "") url.search = query;
    return this.#stack.use(new MemberRun(clientId, url.href, { index, held }));
  }

  /** The first line that fits, now or in the future; of several, the last of `count`. */
  async logged(message: string, fields: Readonly<Record<string, unknown>> = {}, count = 1) {
    const lines = await this.log.some(count, (line) =>
      line.message === message &&
      Object.entries(fields).every(([name, value]) => line.fields[name] === value));
    return lines[count - 1] as LogLine;
  }

  count(message: string, fields: Readonly<Record<string, unknown>>): number {
    return this.log.all.filter((line) =>
      line.message === message &&
      Object.entries(fields).every(([name, value]) => line.fields[name] === value)
    ).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** The SHA-256 of the model that as many clients make without any broker. */
async function embedded(clients: number, flags: Readonly<Record<string, string>>): Promise<string> {
  await using scene = new Scene();
  const server = await scene.open({ "min-clients": String(clients), ...flags });
  for (let index = 0; index < clients; index++) scene.join(`client-${index}`, "mqtt", index);
  return (await server.finished).sha256;
}

/** A part of everybody's update, once. */
function expected(clients: number): number[] {
  return [...Array(clients).fill(Math.fround(1 / clients)), ...Array(VALUES - clients).fill(0)];
}

await withPrograms(["mosquitto", "rabbitmq-server", "epmd"], () => {
  Deno.test("brokers are killed in mid-round and started again: the round finishes with everybody counted once", async () => {
    await using mosquitto = await Mosquitto.start();
    await using rabbitmq = await Rabbitmq.start();
    await using scene = new Scene();
    const killed = { b2: Promise.withResolvers<void>(), c2: Promise.withResolvers<void>() };
    const parts = { b2: 0, c2: 0 };
    const server = await scene.open({
      "mqtt-broker": mosquitto.url,
      "amqp-broker": rabbitmq.url,
      "min-clients": "5",
      rounds: "2",
    }, (clientId) => {
      if (clientId !== "b2" && clientId !== "c2") return;
      const broker = clientId === "b2" ? mosquitto : rabbitmq;
      // In the midst of the upload, so that some of it is on its way.
      if (++parts[clientId] === 4) void broker.kill().then(killed[clientId].resolve);
    });
    const members = [
      scene.join("a", "mqtt", 0),
      scene.join("b1", "mqtt@broker", 1),
      scene.join("b2", "mqtt@broker", 2, true),
      scene.join("c1", "amqp@broker", 3),
      scene.join("c2", "amqp@broker", 4, true),
    ];
    const [, , b2, , c2] = members;
    assert.ok(b2 && c2);
    for (const client of ["a", "b1", "c1"]) {
      await scene.logged("update accepted", { client, round: 1 });
    }
    for (
      const [member, wire, broker] of [
        [b2, "mqtt@broker", mosquitto],
        [c2, "amqp@broker", rabbitmq],
      ] as const
    ) {
      member.release();
      await scene.logged("wire down", { wire });
      await killed[member === b2 ? "b2" : "c2"].promise;
      await broker.startAgain();
      await scene.logged("wire up", { wire }, 2);
    }
    const outcome = await server.finished;
    const closed = await scene.logged("round closed", { round: 1 });
    assert.deepEqual(
      [closed.fields.clients, closed.fields.selected, closed.fields.samples],
      [5, 5, 5 * SAMPLES],
    );
    for (const { clientId } of members) {
      assert.equal(scene.count("update accepted", { client: clientId, round: 1 }), 1, clientId);
    }
    for (const { clientId, final } of members) {
      const { model } = await final;
      assert.deepEqual(valuesOf(model), expected(5), clientId);
      assert.equal(createHash("sha256").update(model).digest("hex"), outcome.sha256, clientId);
    }
    assert.equal(await embedded(5, { rounds: "2" }), outcome.sha256);
  });

  Deno.test("a broker that is short of memory holds the round up, and loses nothing of it", async () => {
    await using rabbitmq = await Rabbitmq.start();
    await using scene = new Scene();
    const server = await scene.open({
      "amqp-broker": rabbitmq.url,
      "min-clients": "2",
      rounds: "2",
    });
    const a = scene.join("a", "mqtt", 0, true);
    const b = scene.join("b", "amqp@broker", 1);
    await scene.logged("update accepted", { client: "b", round: 1 });
    await rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1MB");
    a.release();
    await scene.logged("peer refused", { wire: "amqp@broker", remote: "broker" });
    assert.equal(scene.count("update accepted", { client: "b", round: 2 }), 0);
    await rabbitmq.control("set_vm_memory_high_watermark", "0.8");
    const { sha256 } = await server.finished;
    for (const { final } of [a, b]) {
      const { model } = await final;
      assert.deepEqual(valuesOf(model), expected(2));
      assert.equal(createHash("sha256").update(model).digest("hex"), sha256);
    }
    assert.equal(scene.count("wire down", {}), 0);
    for (const round of [1, 2]) {
      assert.equal(scene.count("update accepted", { client: "b", round }), 1);
    }
  });

  Deno.test("brokers that are not up when the server starts are found when they are", async () => {
    await using mosquitto = await Mosquitto.start();
    await using rabbitmq = await Rabbitmq.start();
    await Promise.all([mosquitto.kill(), rabbitmq.kill()]);
    await using scene = new Scene();
    const server = await scene.open({
      "mqtt-broker": mosquitto.url,
      "amqp-broker": rabbitmq.url,
      "min-clients": "3",
    });
    assert.deepEqual(server.addresses.map(({ wire }) => wire), ["mqtt"]);
    const early = scene.join("a", "mqtt", 0);
    await scene.logged("client joined", { client: "a" });
    const { wires } = await server.status();
    assert.deepEqual(
      wires.map(({ wire, state }) => [wire, state]),
      [["mqtt", "up"], ["mqtt@broker", "restarting"], ["amqp@broker", "restarting"]],
    );
    await Promise.all([mosquitto.startAgain(), rabbitmq.startAgain()]);
    const through = await Promise.all(["mqtt@broker", "amqp@broker"].map(async (wire) => {
      const { fields: { url } } = await scene.logged("wire up", { wire });
      return String(url);
    }));
    await using stack = new AsyncDisposableStack();
    const members = [
      early,
      ...through.map((url, index) =>
        stack.use(new MemberRun(`through-${index}`, url, { index: index + 1 }))
      ),
    ];
    const { sha256 } = await server.finished;
    for (const { final } of members) {
      const { model } = await final;
      assert.deepEqual(valuesOf(model), expected(3));
      assert.equal(createHash("sha256").update(model).digest("hex"), sha256);
    }
  });

  Deno.test("of two clients with one id the newer one stays, whichever broker they come through", async () => {
    await using mosquitto = await Mosquitto.start();
    await using rabbitmq = await Rabbitmq.start();
    for (const wire of ["mqtt@broker", "mqtt@broker?v=4", "amqp@broker"]) {
      await using scene = new Scene();
      await scene.open({
        "mqtt-broker": mosquitto.url,
        "amqp-broker": rabbitmq.url,
        "min-clients": "9",
      });
      const first = scene.join("client-1", wire, 0);
      await first.sees("welcomed");
      const second = scene.join("client-1", wire, 1);
      await assert.rejects(
        first.final,
        (error: Error) => error instanceof SessionEnded && /another client/i.test(error.message),
      );
      await second.sees("welcomed");
    }
  });
});
