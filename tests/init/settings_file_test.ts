import assert from "node:assert/strict";
import { fields, readConfig } from "../../src/config.ts";
import { settingsFile } from "../../src/init/settings_file.ts";
import { STRATEGIES } from "../../src/strategies/mod.ts";

const text = settingsFile();
const read = (content: string) => readConfig({ file: { name: "tributary.toml", text: content } });

Deno.test("settingsFile, read as it is, sets nothing", () => {
  assert.deepEqual([...read(text).given], []);
  assert.deepEqual(read(text).config, readConfig({}).config);
});

Deno.test("settingsFile, with every setting uncommented, sets every default", () => {
  const { config, given } = read(text.replace(/^#(?=\S)/gm, ""));
  assert.deepEqual(config, readConfig({}).config);
  const withDefault = fields.filter(({ shape }) => shape.default !== undefined);
  assert.deepEqual([...given.keys()], withDefault.map(({ key }) => key));
});

Deno.test("settingsFile has a line to fill in for every setting without a default", () => {
  const open = fields.filter(({ shape }) => shape.default === undefined);
  assert.equal([...text.matchAll(/^# [a-z_]+ =$/gm)].length, open.length);
});

Deno.test("settingsFile says of every setting what it means, takes, and is called elsewhere", () => {
  const words = text.replaceAll("\n# ", " ");
  for (const { meaning, flag, env } of fields) {
    assert.ok(words.includes(` ${meaning} Takes `), meaning);
    assert.ok(words.includes(`; --${flag} or ${env}`), flag);
  }
  for (const [name, { options }] of Object.entries(STRATEGIES)) {
    for (const option of Object.keys(options.shape)) {
      assert.ok(words.includes(` ${name}: ${option} = `), `${name} ${option}`);
    }
  }
});

Deno.test("settingsFile names the unit of what is measured in one", () => {
  const [, lines = ""] = /\n(# When a round closes[^]*?)\n\n/.exec(text) ?? [];
  assert.equal(
    lines,
    "# When a round closes with the updates it has, quorum or not\n" +
      "# Takes a whole number from 1 to 604800000, in milliseconds; --round-timeout-ms or\n" +
      "# TRIBUTARY_ROUND_TIMEOUT_MS\n" +
      "#round_timeout_ms = 600000",
  );
});

Deno.test("settingsFile has no line wider than a terminal", () => {
  for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
});
