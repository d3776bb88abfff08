/** What a stranger has: copies of examples/python and proto alone, and Python. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClientProcess } from "./client_process.ts";
import { pythonEnvironment, run } from "./environment.ts";

const ROOT = new URL("../../", import.meta.url);

export interface ClientSpec {
  readonly wire: string;
  readonly url: string;
  readonly id: string;
  /** As the examples' `--data` takes it. */
  readonly data: string;
  /** As the examples' `--share` takes it. */
  readonly share: string;
  /** Where it writes the final model. */
  readonly out: string;
  /** Whom it trusts, beside public authorities. */
  readonly ca?: string;
  readonly token?: string;
}

export class Stranger {
  readonly #python: string;
  readonly #examples: string;

  private constructor(python: string, examples: string) {
    this.#python = python;
    this.#examples = examples;
  }

  /** Copies what a stranger is given into an empty folder, and sets it up as its README says. */
  static async move(folder: string): Promise<Stranger> {
    const python = await pythonEnvironment();
    const examples = join(folder, "examples", "python");
    await copyFiles(new URL("examples/python/", ROOT), examples);
    await copyFiles(new URL("proto/", ROOT), join(folder, "proto"));
    const protoc = ["-m", "grpc_tools.protoc", "-I../../proto", "--python_out=."];
    await run(python, [...protoc, "federation.proto"], { cwd: examples });
    return new Stranger(python, examples);
  }

  /** Runs one of the examples to its end; what it wrote on stdout. @throws {Error} if it fails. */
  run(program: string, ...args: readonly string[]): Promise<string> {
    return run(this.#python, [program, ...args], { cwd: this.#examples });
  }

  join({ wire, url, id, data, share, out, ca, token = "" }: ClientSpec): ClientProcess {
    const args = [url, "--data", data, "--share", share, "--id", id, "--out", out];
    if (ca !== undefined) args.push("--ca", ca);
    if (token !== "") args.push("--token", token);
    return new ClientProcess(this.#python, {
      args: ["-u", `${wire}_client.py`, ...args],
      cwd: this.#examples,
    });
  }
}

/** The files of one directory that belong to the repository; none of what set-up makes. */
async function copyFiles(from: URL, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (!isFile || name === "federation_pb2.py") continue;
    await Deno.copyFile(fileURLToPath(new URL(name, from)), join(to, name));
  }
}
