/** What doctor says of brokers that others wrote. */

import assert from "node:assert/strict";
import { checkBrokers } from "../../src/cli/doctor/brokers.ts";
import { readConfig } from "../../src/config.ts";
import { withPrograms } from "./brokers/installed.ts";
import { Mosquitto } from "./brokers/mosquitto.ts";
import { Rabbitmq } from "./brokers/rabbitmq.ts";

const { signal } = new AbortController();

async function found(flags: Readonly<Record<string, string>>) {
  const { config } = readConfig({ flags });
  const [finding = assert.fail(), ...more] = await checkBrokers(config, signal);
  assert.deepEqual(more, []);
  return finding;
}

await withPrograms(["mosquitto", "mosquitto_passwd"], () => {
  Deno.test("doctor enters Mosquitto with its credentials, and says when they are wrong", async () => {
    await using broker = await Mosquitto.start(["allow_anonymous false"], {
      users: ["server:right"],
    });
    const at = (user: string) =>
      found({ "mqtt-broker": `mqtt://${user}@127.0.0.1:${broker.port}` });
    const right = await at("server:right");
    assert.deepEqual([right.state, right.todo], ["ok", ""]);
    assert.equal(right.seen, `127.0.0.1:${broker.port} lets the server in, by MQTT 5`);
    const wrong = await at("server:wrong");
    assert.equal(wrong.state, "failed");
    assert.match(wrong.seen, /does not let the server in/);
    assert.match(wrong.todo, /^set user and password in --mqtt-broker/);
    await broker.kill();
    const gone = await at("server:right");
    assert.match(gone.seen, /^Cannot reach the MQTT broker at 127\.0\.0\.1:\d+: /);
    assert.match(gone.todo, /^start the broker/);
  });
});

await withPrograms(["rabbitmq-server", "epmd"], async () => {
  const broker = await Rabbitmq.start();
  globalThis.addEventListener("unload", () => broker.disposeNow());

  Deno.test("doctor enters RabbitMQ with its credentials, and says when they are wrong", async () => {
    const right = await found({ "amqp-broker": broker.url });
    assert.equal(right.state, "ok", right.seen);
    assert.match(right.seen, /lets the server in, into the virtual host \/$/);
    const wrong = new URL(broker.url);
    wrong.username = "guest";
    wrong.password = "wrong";
    const refused = await found({ "amqp-broker": wrong.href });
    assert.equal(refused.state, "failed");
    assert.match(refused.seen, /refuses the server/);
    assert.match(refused.todo, /--amqp-broker/);
    const nowhere = new URL(broker.url);
    nowhere.pathname = "/nowhere";
    assert.match((await found({ "amqp-broker": nowhere.href })).seen, /no such virtual host/);
  });
});
