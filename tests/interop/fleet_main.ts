/** Runs the federation of eleven and prints it as a table; ends with 0 only if all hold one model. */

import { Failure, report } from "../../src/cli/exit.ts";
import { processIo } from "../../src/cli/io.ts";
import { table } from "../../src/cli/table.ts";
import { runFleet } from "./fleet.ts";

const LEAST_ACCURACY = 0.9;

using io = processIo();
try {
  const { members, outcome, accuracy, counted } = await runFleet((what) =>
    io.stderr.write(`${what}\n`)
  );
  io.stdout.write(table(members, [
    { title: "client", text: ({ id }) => id },
    { title: "software", text: ({ software }) => software },
    { title: "wire", text: ({ wire }) => wire },
    { title: "final model, sha-256", text: ({ sha256 }) => sha256 },
  ], io.stdout));
  io.stdout.write(
    `server ${outcome.sha256}; ${counted.length} rounds with ${counted.join(", ")} clients; ` +
      `accuracy ${accuracy.toFixed(4)}\n`,
  );
  if (members.some(({ sha256 }) => sha256 !== outcome.sha256)) {
    throw new Failure("The clients do not hold the same model");
  }
  if (accuracy < LEAST_ACCURACY) throw new Failure(`The accuracy is below ${LEAST_ACCURACY}`);
} catch (error) {
  report(error, io.stderr);
  Deno.exit(1);
}
Deno.exit(0);
