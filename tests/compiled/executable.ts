/** The executable under test: dist/tributary, or the file that TRIBUTARY_EXECUTABLE names. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { Program } from "../support/program.ts";

export const EXECUTABLE = Deno.env.get("TRIBUTARY_EXECUTABLE") ??
  fileURLToPath(new URL("../../dist/tributary", import.meta.url));

/** Debian's nobody and nogroup. */
export const NOBODY = 65534;

/** Any free port for each wire and the status page. */
export const ANY_PORTS = [...PROTOCOLS, "web"].flatMap((wire) => [`--${wire}-port`, "0"]);

/** The executable with these arguments, in an environment that is otherwise empty. */
export function run(
  args: readonly string[],
  { directory, environment = {} }: {
    readonly directory: string;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Program {
  return new Program(args, directory, { path: EXECUTABLE, args: [], environment });
}

/** Calls `test` with an empty directory for whoever runs the executable. */
export async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "tributary-compiled-" });
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A copy of the executable where every user may start it, and a directory of `owner`'s. */
export async function stage(
  root: string,
  owner: number | undefined,
): Promise<{ executable: string; empty: string }> {
  const [executable, empty] = [join(root, "tributary"), join(root, "empty")];
  await Deno.copyFile(EXECUTABLE, executable);
  await Deno.mkdir(empty);
  await Deno.chmod(root, 0o755);
  await Deno.chmod(executable, 0o755);
  if (owner !== undefined) await Deno.chown(empty, owner, owner);
  return { executable, empty };
}
