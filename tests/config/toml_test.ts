import assert from "node:assert/strict";
import { parse } from "smol-toml";
import fc from "fast-check";
import { fields, readConfig } from "../../src/config.ts";
import { ConfigError } from "../../src/config/config_error.ts";
import { printConfig } from "../../src/config/print.ts";
import { readToml, tomlLine } from "../../src/config/toml.ts";

function placesOf(text: string): string[] {
  return readToml({ name: "a.toml", text }, fields).given.map(({ where }) => where);
}

Deno.test("readToml finds the lines of keys, dotted keys and quoted keys", () => {
  assert.deepEqual(
    placesOf('# rounds = 1\n[ training ]\nrounds = 2\n"quorum" = 1\n[log]\nlevel = "info"\n'),
    [
      "training.rounds in a.toml line 3",
      "training.quorum in a.toml line 4",
      "log.level in a.toml line 6",
    ],
  );
  assert.deepEqual(placesOf("mqtt.port = 1\n"), ["mqtt.port in a.toml line 1"]);
});

Deno.test("readToml names the file alone where a line is not to be told", () => {
  assert.deepEqual(placesOf("mqtt = { port = 1 }\n"), ["mqtt.port in a.toml"]);
});

Deno.test("readToml passes a record on whole, whatever its names", () => {
  const { given, sentences } = readToml(
    { name: "a.toml", text: "[strategy.options]\nmu = 0.1\nanything = true\n" },
    fields,
  );
  assert.deepEqual(given.map(({ value }) => ({ ...value as object })), [
    { mu: 0.1, anything: true },
  ]);
  assert.deepEqual(sentences, []);
});

Deno.test("readToml refuses a key that would reach into objects' prototypes", () => {
  const { sentences } = readToml({ name: "a.toml", text: "\n__proto__ = 1\n" }, fields);
  assert.equal(sentences.length, 1);
  assert.match(sentences[0] ?? "", /^a\.toml line 2 /);
});

/** Without the null prototype that parsers and generators like to give. */
function plain(value: unknown): unknown {
  return structuredClone(value);
}

Deno.test("tomlLine writes one line that means the same", () => {
  const value = fc.oneof(
    fc.integer(),
    fc.boolean(),
    fc.string({ unit: "binary" }),
    // An integral number is written as an integer, and TOML's integers have no -0.
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value === 0 ? 0 : value),
  );
  const name = fc.string().filter((name) => name !== "__proto__");
  fc.assert(fc.property(
    fc.oneof(value, fc.array(fc.string()), fc.dictionary(name, value)),
    (value) => {
      const line = tomlLine("key", value);
      assert.equal(line.split("\n").length, 1);
      assert.deepEqual(plain(parse(line).key), plain(value));
    },
  ));
});

Deno.test("readConfig takes a file that is cut anywhere, or says in one sentence each where and what", () => {
  const whole = printConfig(readConfig({ flags: { "mqtt-origins": "https://a.example" } }));
  for (let length = 0; length <= whole.length; length += 3) {
    try {
      readConfig({ file: { name: "cut.toml", text: whole.slice(0, length) } });
    } catch (error) {
      assert.ok(error instanceof ConfigError, `${length}: ${error}`);
      for (const sentence of error.sentences) {
        assert.match(sentence, /cut\.toml|--[a-z]/, `${length}`);
        assert.ok(!sentence.includes("\n"), sentence);
      }
    }
  }
});
