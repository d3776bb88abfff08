/** `deno task release`: what a person who downloads an executable should be able to look up. */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { exit, Failure, report } from "../cli/exit.ts";
import { type Io, processIo } from "../cli/io.ts";
import { bytesText } from "../cli/quantities.ts";
import { table } from "../cli/table.ts";
import { ReleaseError } from "./part.ts";

const DIRECTORY = fileURLToPath(new URL("../../dist", import.meta.url));

if (import.meta.main) {
  const io = processIo();
  Deno.exit(await main(io));
}

async function main(io: Io): Promise<number> {
  Object.assign(process, { noDeprecation: true }); // one of the schema's libraries loads Node's own punycode
  const { FILES, release } = await import("./release.ts");
  try {
    const { executables, parts } = await release(DIRECTORY);
    io.stdout.write(
      table(executables, [
        { title: "executable", text: ({ name }) => name },
        { title: "size", text: ({ bytes }) => bytesText(bytes), align: "right" },
        { title: "deno", text: ({ deno }) => deno },
        { title: "sha256", text: ({ sha256 }) => sha256 },
      ], io.stdout) +
        `\n${parts.length} parts of others are in ${FILES.bill}, their terms in ` +
        `${FILES.licences}, all sums in ${FILES.sums}\n`,
    );
    return exit.ok;
  } catch (error) {
    const known = error instanceof ReleaseError;
    return report(known ? new Failure(error.message, { cause: error }) : error, io.stderr);
  }
}
