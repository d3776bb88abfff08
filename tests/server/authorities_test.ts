import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../src/config/config_error.ts";
import { readConfig } from "../../src/config.ts";
import { withAuthorities } from "../../src/server/authorities.ts";
import { ca } from "../support/tls.ts";
import { StateDirectory } from "../vault/state_directory.ts";

Deno.test("withAuthorities() puts certificates in the place of their files' names", async () => {
  using directory = new StateDirectory();
  const file = join(directory.path, "ca.pem");
  Deno.writeTextFileSync(file, ca);
  const flags = { "amqp-broker": "amqps://127.0.0.1", "amqp-broker-ca": file };
  const { mqttBroker, amqpBroker } = await withAuthorities(readConfig({ flags }).config);
  assert.deepEqual([mqttBroker.ca, amqpBroker.ca], [undefined, ca]);
});

Deno.test("withAuthorities() says what to change in a file that holds no certificate", async () => {
  using directory = new StateDirectory();
  const file = join(directory.path, "ca.pem");
  Deno.writeTextFileSync(file, "none");
  const flags = { "mqtt-broker": "mqtts://127.0.0.1", "mqtt-broker-ca": file };
  await assert.rejects(withAuthorities(readConfig({ flags }).config), (error: Error) => {
    assert.ok(error instanceof ConfigError);
    return /^--mqtt-broker-ca names .*; name the ca.pem of the broker$/.test(error.message);
  });
});
