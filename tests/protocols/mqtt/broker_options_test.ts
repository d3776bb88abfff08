import assert from "node:assert/strict";
import { options, permissions, readBroker } from "../../../src/protocols/mqtt/broker_options.ts";

Deno.test("readBroker() reads where a broker is, and as whom to enter", () => {
  const nobody = { username: undefined, password: undefined };
  assert.deepEqual(readBroker("mqtt://broker.example"), {
    hostname: "broker.example",
    port: 1883,
    ...nobody,
  });
  assert.deepEqual(readBroker("mqtt://[::1]:1884/"), { hostname: "::1", port: 1884, ...nobody });
  assert.deepEqual(readBroker("mqtt://ann:two%20words@10.0.0.1:1"), {
    hostname: "10.0.0.1",
    port: 1,
    username: "ann",
    password: "two words",
  });
});

Deno.test("readBroker() says what is wrong, and never the password", () => {
  const cases: [string, RegExp][] = [
    ["broker.example:1883", /like mqtt:\/\/host:1883/],
    ["mqtts://u:secret@host", /like mqtt:\/\/host:1883/],
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

Deno.test("permissions() allow the broker's address and nothing else", () => {
  const url = "mqtt://u:secret@broker.example:1884";
  const { net, ...rest } = permissions(options.parse({ url }));
  assert.deepEqual(net, ["broker.example:1884"]);
  assert.ok(Object.values(rest).every((allowed) => allowed === false));
  assert.equal(permissions(options.parse({})).net, false);
});
