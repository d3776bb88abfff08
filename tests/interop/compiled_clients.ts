/** The example clients in Go and Rust, built as a stranger builds them: from examples/ and proto/ alone. */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClientProcess } from "./client_process.ts";
import { run } from "./environment.ts";
import type { ClientSpec } from "./stranger.ts";

const ROOT = new URL("../../", import.meta.url);
const CACHE = new URL(".cache/interop/", ROOT);

/** What differs between one compiled language and another. */
export interface Language {
  readonly name: string;
  /** The folder below examples/. */
  readonly folder: string;
  /** Files there that belong to the repository; the names of folders end with a slash. */
  readonly files: readonly string[];
  /** Tests and builds what stands in `path`; gives the folder of the programs. */
  build(path: string): Promise<string>;
}

export const GO: Language = {
  name: "Go",
  folder: "go",
  files: [
    "buf.gen.yaml",
    "cmd/",
    "go.mod",
    "go.sum",
    "mlp/",
    "tributary/",
    "wire/vectors_test.go",
    "wire/wire.go",
  ],
  async build(path) {
    await run("go", ["generate", "./wire"], { cwd: path });
    await run("go", ["vet", "./..."], { cwd: path });
    await run("go", ["test", "./..."], { cwd: path });
    const programs = fileURLToPath(new URL("go-programs/", CACHE));
    await run("go", ["build", "-o", programs, "./cmd/..."], { cwd: path });
    return programs;
  },
};

export const RUST: Language = {
  name: "Rust",
  folder: "rust",
  files: ["Cargo.toml", "build.rs", "src/", "tests/"],
  async build(path) {
    const target = fileURLToPath(new URL("rust-target", CACHE));
    const options = ["--release", "--quiet", "--target-dir", target];
    await run("cargo", ["test", ...options], { cwd: path });
    await run("cargo", ["build", ...options], { cwd: path });
    return join(target, "release");
  },
};

/** The programs of one language. */
export class CompiledClients {
  static readonly #built = new Map<Language, Promise<CompiledClients>>();
  readonly #programs: string;

  private constructor(programs: string) {
    this.#programs = programs;
  }

  /**
   * Tests and builds them, once in this process.
   * @throws {Error} with what the compiler said, or one sentence that says what is missing.
   */
  static built(language: Language): Promise<CompiledClients> {
    const known = CompiledClients.#built.get(language);
    if (known !== undefined) return known;
    const built = buildAlone(language).then((programs) => new CompiledClients(programs));
    CompiledClients.#built.set(language, built);
    return built;
  }

  start({ wire, url, id, data, share, out, ca, token }: ClientSpec): ClientProcess {
    const flags = ["--data", data, "--share", share, "--id", id, "--out", out];
    if (ca !== undefined) flags.push("--ca", ca);
    if (token !== undefined) flags.push("--token", token);
    return new ClientProcess(join(this.#programs, `${wire}_client`), { args: [...flags, url] });
  }
}

/**
 * The folder's place is always the same, so that the compilers build only what has changed, and
 * leave programs alone that have not: another run of tests may be using them.
 */
async function buildAlone({ folder, files, build }: Language): Promise<string> {
  await Deno.mkdir(CACHE, { recursive: true });
  using lock = await Deno.open(new URL(`alone-${folder}.lock`, CACHE), {
    create: true,
    write: true,
  });
  await lock.lock(true); // until it is closed
  const alone = fileURLToPath(new URL(`alone-${folder}`, CACHE));
  await Deno.remove(alone, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await copy(new URL("proto/", ROOT), join(alone, "proto"));
  const path = join(alone, "examples", folder);
  const from = new URL(`examples/${folder}/`, ROOT);
  for (const name of files) await copy(new URL(name, from), join(path, name));
  return await build(path);
}

/** With the times of last change: cargo goes by them. */
async function copy(from: URL, to: string): Promise<void> {
  if (!from.pathname.endsWith("/")) {
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.copyFile(from, to);
    const { mtime } = await Deno.stat(from);
    return await Deno.utime(to, new Date(), mtime ?? new Date());
  }
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    await copy(new URL(isDirectory ? `${name}/` : name, from), join(to, name));
  }
}
