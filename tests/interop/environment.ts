/** Pythons of the tests' own, each with pinned packages, kept under .cache. */

import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const CACHE = new URL("../../.cache/interop/", import.meta.url);
const REQUIREMENTS = new URL("../../examples/python/requirements.txt", import.meta.url);

/**
 * The path of the interpreter that has the packages of a requirements file; made at first use,
 * which takes some minutes, and when the file changes.
 * @throws {Error} with one sentence that says what is missing.
 */
export async function pythonEnvironment(file = REQUIREMENTS): Promise<string> {
  const requirements = fileURLToPath(file);
  const content = await Deno.readFile(requirements);
  const version = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const directory = fileURLToPath(new URL(`python-${version}`, CACHE));
  const python = join(directory, "bin", "python");
  const whole = join(directory, "whole"); // written last
  if (await exists(whole)) return python;
  await run("python3", ["-m", "venv", "--clear", directory]);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await run(python, [...pip, "--requirement", requirements]);
  await Deno.writeTextFile(whole, "");
  return python;
}

/** Runs a program to its end. @throws {Error} with what it said. */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string> } = {},
): Promise<string> {
  const decoder = new TextDecoder();
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args: [...args], stdin: "null", ...options })
      .output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`These tests need ${program}, which is not installed`, { cause: error });
  }
  if (output.success) return decoder.decode(output.stdout);
  const said = decoder.decode(output.stderr).trim() || decoder.decode(output.stdout).trim();
  throw new Error(`${program} ${args.join(" ")} failed: ${said}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
