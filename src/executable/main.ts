/** The command line of `deno task compile`. */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { processIo } from "../cli/io.ts";
import { buildExecutable, ROOT } from "./build.ts";
import { COMPILER, openCompiler } from "./compiler.ts";
import { fileName, type Target, TARGETS, wiresOf } from "./target.ts";

const HELP = `deno task compile: makes dist/tributary, the whole program as one file

  --target <system>  another system than this one: ${TARGETS.join(", ")}
  --output <file>    where to, instead of dist/tributary, or dist/tributary-<system>
  --deno <path>      the Deno whose runtime it gets, instead of this one (or set DENO_COMPILER)

Deno downloads that runtime, unless DENORT_BIN names a denort of its version.
`;

async function main(): Promise<string> {
  const { values } = parseArgs({
    options: {
      target: { type: "string" },
      output: { type: "string" },
      deno: { type: "string", default: COMPILER },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return HELP;
  const target = targetOf(values.target ?? Deno.build.target);
  const name = values.target === undefined ? "tributary" : `tributary-${target}`;
  const output = values.output ?? join(ROOT, "dist", fileName(name, target));
  const compiler = await openCompiler(values.deno);
  const directory = join(ROOT, "dist", "build");
  const built = await buildExecutable({ compiler, target, directory, output });
  await Deno.writeTextFile(
    `${output}.packages.json`,
    JSON.stringify(built.packages, null, 2) + "\n",
  );
  return `${built.listing.trim()}\n\n` +
    `${output}  ${(built.bytes / 1e6).toFixed(1)} MB, Deno ${compiler.version}\n` +
    `wires  ${wiresOf(target, compiler)}\n`;
}

/** @throws {TypeError} for a system that no executable can be made for. */
function targetOf(text: string): Target {
  const target = TARGETS.find((each) => each === text);
  if (target !== undefined) return target;
  throw new TypeError(`--target is ${text}, but must be one of ${TARGETS.join(", ")}`);
}

using io = processIo();
try {
  io.stdout.write(await main());
} catch (error) {
  io.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  Deno.exitCode = 1;
}
