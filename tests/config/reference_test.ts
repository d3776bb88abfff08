import assert from "node:assert/strict";
import { fields } from "../../src/config.ts";
import { referenceTable, withReference } from "../../src/config/reference.ts";
import { STRATEGIES } from "../../src/strategies/mod.ts";

/** The rows of the settings, and those of the strategies' options, below their two head lines. */
function tables(): [settings: string[], options: string[]] {
  const [settings = "", options = ""] = referenceTable().split("\n\n");
  return [settings.trimEnd().split("\n").slice(2), options.trimEnd().split("\n").slice(2)];
}

Deno.test("referenceTable has one row of five cells for every setting", () => {
  const [rows] = tables();
  assert.deepEqual(
    rows.map((row) => row.split(/(?<!\\)\|/).slice(1, 3).map((cell) => cell.trim())),
    fields.map(({ key, flag, shape }) => [
      `\`${key}\``,
      shape.type === "boolean" ? `\`--${flag}\`, \`--no-${flag}\`` : `\`--${flag}\``,
    ]),
  );
  for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 7, row);
});

Deno.test("referenceTable says what a setting takes, its default and its meaning", () => {
  assert.ok(
    referenceTable().includes(
      "| `training.rounds` | `--rounds` | a whole number from 1 to 1000000 | `10` | " +
        "Rounds to train, unless a stop condition comes first |",
    ),
  );
});

Deno.test("referenceTable has a row for every option of every strategy", () => {
  const [, rows] = tables();
  assert.deepEqual(
    rows.map((row) => row.split("|").slice(1, 3).map((cell) => cell.trim()).join(" ")),
    Object.entries(STRATEGIES).flatMap(([name, { options }]) =>
      Object.keys(options.shape).map((option) => `${name} \`${option}\``)
    ),
  );
});

Deno.test("withReference replaces what is between the marks, and only that", () => {
  const begin = "<!-- settings: written by `deno task reference` -->";
  const end = "<!-- end of settings -->";
  const once = withReference(`before\n${begin}\nold\n${end}\nafter\n`);
  assert.equal(once, `before\n${begin}\n\n${referenceTable()}\n${end}\nafter\n`);
  assert.equal(withReference(once), once);
});

Deno.test("withReference refuses a text without marks", () => {
  assert.throws(() => withReference("# Readme\n"), {
    name: "SyntaxError",
    message: /^Cannot place the reference: no lines /,
  });
});
