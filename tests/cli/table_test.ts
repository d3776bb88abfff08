import assert from "node:assert/strict";
import { type Column, table } from "../../src/cli/table.ts";

interface Wire {
  readonly name: string;
  readonly bytes: number;
}

const columns: readonly Column<Wire>[] = [
  { title: "wire", text: ({ name }) => name, look: () => "good" },
  { title: "bytes", text: ({ bytes }) => String(bytes), align: "right" },
];

Deno.test("table aligns texts left and numbers right, without trailing spaces", () => {
  const text = table([{ name: "mqtt", bytes: 5 }, { name: "a-long-one", bytes: 123456 }], [
    ...columns,
    { title: "note", text: ({ bytes }) => bytes > 9 ? "big" : "" },
  ], { colours: false });
  assert.equal(
    text,
    "WIRE         BYTES  NOTE\n" +
      "mqtt             5\n" +
      "a-long-one  123456  big\n",
  );
});

Deno.test("table colours do not count as width", () => {
  assert.equal(
    table([{ name: "é", bytes: 1 }], columns, { colours: true }),
    "\x1b[90mWIRE\x1b[0m  \x1b[90mBYTES\x1b[0m\n\x1b[32mé\x1b[0m         1\n",
  );
});

Deno.test("table of nothing is empty", () => {
  assert.equal(table([], columns, { colours: false }), "");
});

Deno.test("table lets no text move the cursor", () => {
  const text = table([{ name: "\x1b[2Ja\nb", bytes: 1 }], columns, { colours: false });
  assert.equal(text, "WIRE     BYTES\n�[2Ja�b      1\n");
});
