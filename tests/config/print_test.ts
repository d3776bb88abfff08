import assert from "node:assert/strict";
import fc from "fast-check";
import { readConfig } from "../../src/config.ts";
import { printConfig } from "../../src/config/print.ts";

Deno.test("printConfig writes a file that makes the same configuration", () => {
  fc.assert(fc.property(
    fc.record({
      name: fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/),
      rounds: fc.integer({ min: 1, max: 1_000_000 }).map(String),
      quorum: fc.double({ min: 0, max: 1, minExcluded: true, noNaN: true }).map(String),
      protocols: fc.subarray(["mqtt", "amqp", "grpc", "quic"], { minLength: 1 }).map(String),
      model: fc.string({ minLength: 1, unit: "grapheme" }),
      web: fc.boolean(),
    }),
    fc.dictionary(fc.stringMatching(/^[A-Za-z]\w{0,9}$/), fc.integer().map((n) => n / 8)),
    (flags, settings) => {
      const pairs = Object.entries(settings).map(([name, value]) => `${name}=${value}`).join(",");
      const first = readConfig({ flags: pairs === "" ? flags : { ...flags, settings: pairs } });
      const again = readConfig({ file: { name: "printed.toml", text: printConfig(first) } });
      assert.deepEqual(again.config, first.config);
    },
  ));
});

Deno.test("printConfig names where a value came from and what is not set", () => {
  const text = printConfig(readConfig({
    environment: { TRIBUTARY_ROUNDS: "3" },
    flags: { "mqtt-port": "1884", settings: "epochs=2" },
  }));
  const lines = text.split("\n");
  assert.equal(lines[0], 'name = "default"');
  assert.ok(lines.includes("# state is not set"));
  assert.ok(lines.includes("rounds = 3 # TRIBUTARY_ROUNDS"));
  assert.ok(lines.includes("port = 1884 # --mqtt-port"));
  assert.ok(lines.includes("settings = { epochs = 2 } # --settings"));
  assert.ok(lines.includes("port = 5672"));
});
