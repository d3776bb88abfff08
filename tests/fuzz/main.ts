/**
 * Fuzzes every decoder: `deno task fuzz [--inputs N] [--seed S] [--decoder NAME]`. Prints what was
 * tried; the first broken promise ends it, with the input and the seed that make it again.
 */

import { parseArgs } from "node:util";
import { Failure, report } from "../../src/cli/exit.ts";
import { processIo } from "../../src/cli/io.ts";
import { table } from "../../src/cli/table.ts";
import { DECODERS } from "./decoders.ts";
import { fuzz, type FuzzFigures } from "./fuzz.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(crypto.getRandomValues(new Uint32Array(1))[0]) },
    decoder: { type: "string" },
  },
});
using io = processIo();
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const decoders = DECODERS.filter(({ name }) =>
  values.decoder === undefined || name === values.decoder
);
io.stdout.write(`seed ${seed}\n`);
try {
  if (decoders.length === 0) {
    const names = DECODERS.map(({ name }) => `"${name}"`).join(", ");
    throw new Failure(`There is no decoder "${values.decoder}"; there are ${names}`);
  }
  const figures: FuzzFigures[] = [];
  for (const decoder of decoders) figures.push(await fuzz(decoder, { inputs, seed }));
  io.stdout.write(table(figures, [
    { title: "decoder", text: ({ decoder }) => decoder },
    { title: "inputs", align: "right", text: ({ inputs }) => String(inputs) },
    { title: "taken", align: "right", text: ({ taken }) => String(taken) },
    { title: "refused", align: "right", text: ({ refused }) => String(refused) },
    { title: "failures", align: "right", text: () => "0" },
    { title: "most bytes", align: "right", text: ({ mostBytes }) => String(mostBytes) },
  ], io.stdout));
} catch (error) {
  report(error, io.stderr);
  Deno.exit(1);
}
Deno.exit(0);
