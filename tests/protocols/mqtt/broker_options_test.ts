import assert from "node:assert/strict";
import {
  addressAt,
  options,
  permissions,
  readBroker,
} from "../../../src/protocols/mqtt/broker_options.ts";

Deno.test("readBroker() reads where a broker is, and as whom to enter", () => {
  const nobody = { username: undefined, password: undefined };
  assert.deepEqual(readBroker("mqtt://broker.example"), {
    hostname: "broker.example",
    port: 1883,
    isTls: false,
    ...nobody,
  });
  assert.deepEqual(readBroker("mqtt://[::1]:1884/"), {
    hostname: "::1",
    port: 1884,
    isTls: false,
    ...nobody,
  });
  assert.deepEqual(readBroker("mqtts://ann:two%20words@10.0.0.1"), {
    hostname: "10.0.0.1",
    port: 8883,
    isTls: true,
    username: "ann",
    password: "two words",
  });
});

Deno.test("readBroker() says what is wrong, and never the password", () => {
  const cases: [string, RegExp][] = [
    ["broker.example:1883", /like mqtt:\/\/host:1883/],
    ["amqp://u:secret@host", /like mqtt:\/\/host:1883, or mqtts:\/\/host:8883 for TLS/],
    ["mqtt://u:secret@host/default", /the federation's name is --name/],
    ["mqtt://u:secret@host?x=1", /nothing may come after the port/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => readBroker(text), (error: Error) => {
      assert.ok(error instanceof TypeError && !error.message.includes("secret"));
      return message.test(error.message);
    });
  }
});

Deno.test("addressAt() shows clients the way, and nobody's password", () => {
  const at = (url: string, level: 4 | 5) => addressAt(readBroker(url), "a b", level);
  assert.equal(at("mqtt://ann:secret@host", 5), "mqtt://host:1883/a%20b");
  assert.equal(at("mqtts://ann:secret@[::1]", 4), "mqtts://[::1]:8883/a%20b?v=4");
});

Deno.test("permissions() allow the broker's address and nothing else", () => {
  const url = "mqtt://u:secret@broker.example:1884";
  const { net, ...rest } = permissions(options.parse({ url }));
  assert.deepEqual(net, ["broker.example:1884"]);
  assert.ok(Object.values(rest).every((allowed) => allowed === false));
  assert.equal(permissions(options.parse({})).net, false);
});
