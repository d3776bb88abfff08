import assert from "node:assert/strict";
import { readConfig } from "../../src/config.ts";
import { ConfigError } from "../../src/config/config_error.ts";

/** The sentences with which these flags are refused; none where they are taken. */
function sentencesOf(flags: Readonly<Record<string, string | boolean>>): readonly string[] {
  try {
    readConfig({ flags });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.sentences;
    throw error;
  }
}

Deno.test("contradictions() lets a broker on another machine be named with tokens or --insecure only", () => {
  const near = ["mqtt://localhost", "mqtt://127.0.0.1:1", "mqtt://[::1]"];
  for (const url of near) assert.deepEqual(sentencesOf({ "mqtt-broker": url }), [], url);
  const far = { "mqtt-broker": "mqtt://u:secret@10.0.0.1", "amqp-broker": "amqp://broker.example" };
  assert.deepEqual(
    sentencesOf(far),
    ["--mqtt-broker", "--amqp-broker"].map((flag) =>
      `${flag} names a broker on another machine, and no tokens are asked for: give --tokens ` +
      "required, use a broker on this machine, or allow it by --insecure"
    ),
  );
  assert.deepEqual(sentencesOf({ ...far, insecure: true }), []);
  assert.deepEqual(sentencesOf({ ...far, tokens: "required", "token-key": "token.key" }), []);
});

Deno.test("contradictions() lets an authority be named for a broker by TLS only", () => {
  assert.deepEqual(
    sentencesOf({ "mqtt-broker": "mqtts://127.0.0.1", "mqtt-broker-ca": "ca.pem" }),
    [],
  );
  assert.deepEqual(sentencesOf({ "amqp-broker": "amqp://127.0.0.1", "amqp-broker-ca": "ca.pem" }), [
    "--amqp-broker-ca is for a broker by TLS; write --amqp-broker with amqps://, or leave it out",
  ]);
});

Deno.test("contradictions() wants a broker to have room for a window", () => {
  const flags = { "window-bytes": "2000000", "amqp-broker-max-unread-bytes": "1048576" };
  assert.deepEqual(sentencesOf(flags), []); // no broker is named
  const [sentence, ...more] = sentencesOf({ ...flags, "amqp-broker": "amqp://127.0.0.1" });
  assert.match(
    sentence ?? "",
    /^--window-bytes is 2000000, above the 1048576 of --amqp-broker-max/,
  );
  assert.deepEqual(more, []);
});
