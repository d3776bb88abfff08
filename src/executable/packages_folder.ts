/** The packages of deno.lock as a node_modules folder, where a bundler finds them. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Fills `directory`, and returns its node_modules.
 * @throws {Error} when packages are missing that cannot be fetched.
 */
export async function installPackages(directory: string): Promise<string> {
  await Deno.mkdir(directory, { recursive: true });
  for (const name of ["deno.json", "deno.lock"]) {
    await Deno.copyFile(join(ROOT, name), join(directory, name));
  }
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--quiet", "--frozen", "--node-modules-dir=auto"],
    cwd: directory,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("Cannot install the packages of deno.lock");
  return join(directory, "node_modules");
}

/** The name and version of an installed package's file, e.g. tslib@2.9.1; undefined for others. */
export function packageOf(path: string): string | undefined {
  // Deno's layout: node_modules/.deno/@scope+name@version/node_modules/@scope/name, with a number
  // behind the version for a second copy.
  const [, folder] = /node_modules[\\/]\.deno[\\/]([^\\/]+)/.exec(path) ?? [];
  return folder?.replace("+", "/").replace(/_\d+$/, "");
}
