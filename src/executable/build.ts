/**
 * `deno task compile`: the whole program as one file. Its modules are bundled with their packages,
 * files and libddsc are put beside them, and `deno compile` makes an executable of that.
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import denoJson from "../../deno.json" with { type: "json" };
import { fetchLibrary, isFetchable } from "../protocols/dds/fetch_library.ts";
import { FETCHED_DIRECTORY, RELEASE } from "../protocols/dds/library.ts";
import { bundle, moduleOf } from "./bundle.ts";
import { compile, type Compiler } from "./compiler.ts";
import { FILES, LIBRARY, placeOf } from "./files.ts";
import { installPackages, packageOf } from "./packages_folder.ts";
import { PERMISSIONS } from "./permissions.ts";
import type { Target } from "./target.ts";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The product's Workers: each of them is a program of its own in the executable. */
export const WORKERS: readonly string[] = denoJson.compile.include;

export interface BuildSpec {
  /** Relative to the repository; the product's main.ts unless given. */
  readonly main?: string;
  /** Relative to the repository; the product's unless given. */
  readonly workers?: readonly string[];
  readonly compiler: Compiler;
  readonly target: Target;
  /** Where modules and files are put together. */
  readonly directory: string;
  /** The executable's path. */
  readonly output: string;
}

export interface Built {
  readonly bytes: number;
  /** What is inside, as `deno compile` lists it. */
  readonly listing: string;
  /** name@version of each package that modules or files inside are from. */
  readonly packages: { readonly npm: readonly string[]; readonly pypi: readonly string[] };
}

/** @throws {Error} when a part cannot be fetched or `deno compile` fails. */
export async function buildExecutable(spec: BuildSpec): Promise<Built> {
  const { main = "main.ts", workers = WORKERS, compiler, target, directory, output } = spec;
  await removeIfThere(directory);
  const installed = await installPackages(join(directory, "packages"));
  const modules = join(directory, "modules");
  const bundled = await bundle({
    entries: [main, ...workers],
    packages: installed,
    directory: modules,
    build: await commit(),
  });
  const filesFrom = await copyFiles(installed, modules);
  const hasLibrary = isFetchable(target);
  if (hasLibrary) await pack(await library(target), join(modules, LIBRARY));
  const listing = await compile(compiler, {
    directory: modules,
    main: `${moduleOf(main)}.js`,
    included: [
      ...workers.map((worker) => `${moduleOf(worker)}.js`),
      "files",
      ...(hasLibrary ? [LIBRARY] : []),
    ],
    output,
    target,
    options: [...PERMISSIONS, ...denoJson.unstable.map((name) => `--unstable-${name}`)],
  });
  const npm = [...new Set([...bundled, ...filesFrom])].sort();
  const pypi = hasLibrary ? [`cyclonedds@${RELEASE}`] : [];
  return { bytes: (await Deno.stat(output)).size, listing, packages: { npm, pypi } };
}

/** Returns the packages the files are from. */
async function copyFiles(installed: string, modules: string): Promise<string[]> {
  const packages: string[] = [];
  for (const file of FILES) {
    const source = await Deno.realPath(join(installed, file.specifier));
    const place = join(modules, placeOf(file));
    await Deno.mkdir(dirname(place), { recursive: true });
    if (file.packed) await pack(source, place);
    else await Deno.copyFile(source, place);
    packages.push(packageOf(source) ?? file.specifier);
  }
  return packages;
}

async function pack(source: string, place: string): Promise<void> {
  await Deno.writeFile(place, await promisify(gzip)(await Deno.readFile(source), { level: 9 }));
}

/** Of two systems libddsc may have one name, so that each has a folder. */
async function library(target: Target): Promise<string> {
  if (target === Deno.build.target) return await fetchLibrary();
  const directory = fileURLToPath(new URL(`${target}/`, FETCHED_DIRECTORY));
  return await fetchLibrary({ target, directory });
}

/** What is built, as `--version` shows it. */
async function commit(): Promise<string> {
  const git = async (...args: string[]) => {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT, stderr: "null" })
      .output();
    if (!success) throw new Error("this is no clone");
    return new TextDecoder().decode(stdout).trim();
  };
  try {
    const changed = await git("status", "--porcelain", "--untracked-files=no") !== "";
    return `commit ${await git("rev-parse", "--short=12", "HEAD")}${
      changed ? " with changes" : ""
    }`;
  } catch {
    return "commit unknown"; // no git, or an unpacked archive
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
