import assert from "node:assert/strict";
import fc from "fast-check";
import { type CsvOptions, decodeCsv } from "../../../src/client/datasets/csv.ts";
import { DatasetError } from "../../../src/client/datasets/dataset.ts";

function decode(text: string, options: Omit<CsvOptions, "path"> = {}) {
  const { features, labels, classes } = decodeCsv(new TextEncoder().encode(text), {
    path: "a.csv",
    ...options,
  });
  return { features: [...features.values], shape: features.shape, labels: [...labels], classes };
}

const TWO_ROWS = { features: [1, 2, 3, 4], shape: [2, 2], labels: [0, 2], classes: 3 };

for (
  const [what, text, options] of [
    ["the last column as labels", "1,2,0\n3,4,2\n", {}],
    ["a header", "a,b,c\n1,2,0\n3,4,2\n", {}],
    ["labels by name", "a,kind,b\n1,0,2\n3,2,4\n", { label: "kind" }],
    ["labels by number", "0,1,2\n2,3,4\n", { label: "1" }],
    ["a column named label", "label,a,b\n0,1,2\n2,3,4\n", {}],
    ["columns whose names are numbers", "7,8,9\n1,2,0\n3,4,2\n", { header: true }],
    ["CR LF, empty lines and no line end", "\r\n1,2,0\r\n\r\n3,4,2", {}],
    ["quotes and a byte order mark", '\ufeff"a ""x""",b,"c,d"\n"1",2,0\n3,"4",2\n', {}],
    ["spaces", "a , b, c\n 1 ,2 , 0\n3, 4,2 \n", { label: "c" }],
    ["names of classes", "1,2,cat\n3,4,emu\n", { classes: ["cat", "dog", "emu"] }],
  ] as const
) {
  Deno.test(`decodeCsv() reads ${what}`, () => {
    assert.deepEqual(decode(text, options), TWO_ROWS);
  });
}

Deno.test("decodeCsv() counts all classes named, also those without a sample", () => {
  assert.equal(decode("1,cat\n", { classes: ["cat", "dog", "emu"] }).classes, 3);
});

for (
  const [what, text, options, message] of [
    ["a word among numbers", "a,b,c\n1,2,0\n1,x,0\n", {}, 'line 3, column 2 (b): "x" is not a'],
    ["a field left empty", "1,2,0\n,4,2\n", {}, "line 2, column 1 is empty"],
    ["an infinite number", "1,2,0\nInfinity,4,2\n", {}, 'line 2, column 1: "Infinity" is not a'],
    ["a number beyond float32", "1e39,2,0\n", {}, 'line 1, column 1: "1e39" is not a finite'],
    ["a short row", "1,2,0\n1,2\n", {}, "line 2: 2 fields instead of 3"],
    ["a label that is a name", "a,b\n1,cat\n", {}, 'line 2, column 2 (b): label "cat" is not'],
    ["a label below zero", "1,-1\n", {}, 'line 1, column 2: label "-1" is not a class id'],
    ["a label with a fraction", "1,0.5\n", {}, 'label "0.5" is not a class id'],
    ["a label left empty", "1,2,\n", {}, 'line 1, column 3: label "" is not a class id'],
    ["a label like a measurement", "1,70000\n", {}, 'label "70000" is not a class id'],
    ["a class not named", "1,cow\n", { classes: ["cat"] }, 'label "cow" is not one of cat'],
    ["a label column not there", "a,b\n1,0\n", { label: "z" }, "no column z; its columns are a, b"],
    ["a label name without header", "1,0\n", { label: "z" }, "must be a column number of 1 to 2"],
    ["a quote that stays open", '1,"2,0\n', {}, "line 1, field 2: stray quote"],
    ["one column", "1\n2\n", {}, "needs at least one feature and a label column"],
    ["semicolons", "1;2;0\n", {}, "with commas"],
    ["a header alone", "a,b\n", {}, "holds no samples"],
    ["nothing", "\n\n", {}, "is empty"],
  ] as const
) {
  Deno.test(`decodeCsv() refuses ${what} and says where`, () => {
    assert.throws(() => decode(text, options), (error) => {
      assert.ok(error instanceof DatasetError);
      assert.ok(
        error.message.startsWith("a.csv") && error.message.includes(message),
        error.message,
      );
      return true;
    });
  });
}

Deno.test("decodeCsv() refuses bytes that are no text", () => {
  assert.throws(() => decodeCsv(Uint8Array.of(0x31, 0xff), { path: "a.csv" }), {
    name: "DatasetError",
    message: "a.csv is not text in UTF-8",
  });
});

Deno.test("decodeCsv() reads back every float32", () => {
  const float = fc.float({ noNaN: true, noDefaultInfinity: true });
  const row = fc.tuple(float, float, fc.nat(9));
  fc.assert(fc.property(fc.array(row, { minLength: 1 }), (rows) => {
    const text = rows.map((fields) => fields.join()).join("\n");
    const { features, labels } = decode(text);
    assert.deepEqual(features.map((value) => value + 0), rows.flatMap(([a, b]) => [a + 0, b + 0]));
    assert.deepEqual(labels, rows.map(([, , label]) => label));
  }));
});

Deno.test("decodeCsv() reads any text or refuses it as a DatasetError", () => {
  const character = fc.constantFrom(...'0123,,,"\n\r .-ex;é');
  fc.assert(fc.property(fc.string({ unit: character, maxLength: 60 }), (text) => {
    try {
      const { features, shape, labels } = decode(text);
      assert.equal(features.length, (shape[0] ?? 0) * (shape[1] ?? 0));
      assert.equal(labels.length, shape[0]);
    } catch (error) {
      assert.ok(error instanceof DatasetError, String(error));
    }
  }));
});
