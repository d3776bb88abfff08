/** Other people's tools, each at its pinned version: fetched at first use, kept under .cache. */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pythonEnvironment, run } from "../environment.ts";

const CACHE = new URL("../../../.cache/interop/", import.meta.url);

const GRPCURL_VERSION = "v1.9.3";

/** The path of grpcurl, built by `go install`. */
export async function grpcurl(): Promise<string> {
  const directory = fileURLToPath(new URL(`go/grpcurl-${GRPCURL_VERSION}`, CACHE));
  const program = join(directory, "grpcurl");
  if (await isThere(program)) return program;
  const module = `github.com/fullstorydev/grpcurl/cmd/grpcurl@${GRPCURL_VERSION}`;
  await run("go", ["install", module], { env: { GOBIN: directory } });
  return program;
}

/** The path of a Python with pika and aio-pika. */
export function python(): Promise<string> {
  return pythonEnvironment(new URL("./python/requirements.txt", import.meta.url));
}

/** The class path of `Tour`, built with RabbitMQ's Java client by Maven. */
export async function javaClasses(): Promise<string> {
  const source = fileURLToPath(new URL("./java/", import.meta.url));
  const version = createHash("sha256");
  for (const name of ["pom.xml", "Tour.java"]) {
    version.update(await Deno.readFile(join(source, name)));
  }
  const name = `java-${version.digest("hex").slice(0, 12)}`;
  const output = fileURLToPath(new URL(name, CACHE));
  const jar = join(output, "tour-1.jar"); // written last
  if (!await isThere(jar)) {
    await run("mvn", ["--quiet", "--batch-mode", `-Doutput=${output}`, "package"], { cwd: source });
  }
  return `${jar}:${join(output, "lib")}/*`;
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
