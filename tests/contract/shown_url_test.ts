import assert from "node:assert/strict";
import { addressText } from "../../src/cli/wire_table.ts";
import { shownUrl } from "../../src/contract/shown_url.ts";
import { dialUrl, readAddress } from "../../src/protocols/mod.ts";
import { clientMessage } from "../../src/contract/codec.ts";

Deno.test("shownUrl() leaves out the password alone", () => {
  assert.equal(
    shownUrl(new URL("amqp://user:secret@host:5672/default?vhost=a")),
    "amqp://user:***@host:5672/default?vhost=a",
  );
  assert.equal(shownUrl(new URL("mqtt://user@host/default")), "mqtt://user@host/default");
});

for (
  const address of [
    "mqtt://user:secret@host",
    "amqp://user:secret@host",
    "grpc://user:secret@host:50051/default",
    "quic://user:secret@host:4433",
    "dds://user:secret@host",
    "http://user:secret@host",
  ]
) {
  Deno.test(`what is wrong with ${address} is said without its password`, async () => {
    const { signal } = new AbortController();
    const options = { clientId: "client-1", will: clientMessage({}), signal };
    const dial = async () => await dialUrl(readAddress(address), options);
    await assert.rejects(dial(), (error: Error) => {
      assert.equal(error.name, "TypeError");
      assert.match(error.message, /^Cannot (read|dial|join) \w+:\/\/user:\*\*\*@host/);
      return true;
    });
  });
}

Deno.test("addressText() shows neither password nor certificate", () => {
  assert.equal(addressText("amqp://user:secret@host:5672/default"), "amqp://host:5672/default");
  assert.equal(addressText("quic://host:4433/default?hash=abc"), "quic://host:4433/default");
});
