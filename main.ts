/** Tributary's executable. */

import { confined } from "./src/cli/confinement.ts";
import { processIo } from "./src/cli/io.ts";
import { runProgram } from "./src/cli/program.ts";
import { verbs } from "./src/cli/verbs.ts";

if (import.meta.main) {
  const io = processIo();
  // Each verb has closed what it owns; a library's forgotten timer must not keep the shell waiting.
  Deno.exit(await runProgram(Deno.args, io, confined(verbs)));
}
