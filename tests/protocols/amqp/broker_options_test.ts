import assert from "node:assert/strict";
import {
  addressAt,
  options,
  permissions,
  readBroker,
} from "../../../src/protocols/amqp/broker_options.ts";

Deno.test("readBroker() reads where a broker is, and as whom to enter what", () => {
  const guest = { username: "guest", password: "guest" };
  assert.deepEqual(readBroker("amqp://broker.example"), {
    hostname: "broker.example",
    port: 5672,
    isTls: false,
    vhost: "/",
    ...guest,
  });
  assert.deepEqual(readBroker("amqp://[::1]:5673/"), {
    hostname: "::1",
    port: 5673,
    isTls: false,
    vhost: "/",
    ...guest,
  });
  assert.deepEqual(readBroker("amqps://ann:s%40cret@10.0.0.1/a%2Fb"), {
    hostname: "10.0.0.1",
    port: 5671,
    isTls: true,
    vhost: "a/b",
    username: "ann",
    password: "s@cret",
  });
});

Deno.test("readBroker() says what is wrong, and never the password", () => {
  const cases: [string, RegExp][] = [
    ["broker.example:5672", /like amqp:\/\/host:5672/],
    ["mqtt://u:secret@host", /like amqp:\/\/host:5672, or amqps:\/\/host:5671 for TLS/],
    ["amqp://u:secret@host/a/b", /with %2F for a slash/],
    ["amqp://u:secret@host/a?heartbeat=1", /the federation's name is --name/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => readBroker(text), (error: Error) => {
      assert.ok(error instanceof TypeError && !error.message.includes("secret"));
      return message.test(error.message);
    });
  }
});

Deno.test("addressAt() shows clients the way, and nobody's password but that of every RabbitMQ", () => {
  const at = (url: string) => addressAt(readBroker(url), "a b");
  assert.equal(at("amqp://host"), "amqp://guest:guest@host:5672/a%20b");
  assert.equal(at("amqp://ann:secret@[::1]:1"), "amqp://[::1]:1/a%20b");
  assert.equal(at("amqps://ann:secret@host"), "amqps://host:5671/a%20b");
  assert.equal(at("amqp://ann:secret@host/a%2Fb"), "amqp://host:5672/a%20b?vhost=a%2Fb");
});

Deno.test("permissions() allow the broker's address and nothing else", () => {
  const { net, ...rest } = permissions(options.parse({ url: "amqp://u:secret@broker.example" }));
  assert.deepEqual(net, ["broker.example:5672"]);
  assert.ok(Object.values(rest).every((allowed) => allowed === false));
  assert.equal(permissions(options.parse({})).net, false);
});
