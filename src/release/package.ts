/** An npm package as a part: its licence, with the texts that it brings. */

import { join } from "node:path";
import * as z from "zod";
import { BY_HAND } from "./by_hand.ts";
import { type Lock, nameIn } from "./lock.ts";
import { type Part, ReleaseError } from "./part.ts";

const LICENCE_FILE = /^(un)?(licen[cs]e|copying|notice|copyright)/i;

/** Old packages have objects where newer ones have text. */
const said = z.union([z.string(), z.object({ type: z.string() }).transform(({ type }) => type)]);

const packageJson = z.object({
  description: z.string().optional(),
  license: said.optional(),
  licenses: z.array(said).optional(),
});

/**
 * @param id `name@version`.
 * @throws {ReleaseError} where its licence, or whose it is, is not known.
 */
export async function packagePart(
  id: string,
  { folder, lock }: { folder: string | undefined; lock: Lock },
): Promise<Part> {
  if (folder === undefined) throw new ReleaseError(notHere(id));
  const name = nameIn(id);
  const version = id.slice(name.length + 1);
  const byHand = BY_HAND[name];
  const { description, license, licenses } = await readJson(id, folder);
  const licence = license ?? licenses?.join(" OR ") ?? byHand?.licence;
  if (licence === undefined || licence === "") {
    throw new ReleaseError(
      `${id} names no licence; find it, and write it into src/release/by_hand.ts`,
    );
  }
  const texts = await textsIn(folder);
  if (texts.length === 0 && byHand === undefined) {
    throw new ReleaseError(
      `${id} brings no text of its licence, ${licence}; find whose it is, and write it into ` +
        "src/release/by_hand.ts",
    );
  }
  return {
    kind: "package",
    name,
    version,
    licence,
    texts,
    ...(texts.length === 0 && byHand !== undefined ? { copyright: byHand.copyright } : {}),
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`, // purl-spec, type npm
    sha512: lock.sha512(id),
    ...(description === undefined ? {} : { description }),
    needs: lock.needs(id),
  };
}

async function readJson(id: string, folder: string): Promise<z.output<typeof packageJson>> {
  try {
    return packageJson.parse(JSON.parse(await Deno.readTextFile(join(folder, "package.json"))));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new ReleaseError(notHere(id));
    throw new ReleaseError(`The package.json of ${id} cannot be read`, { cause: error });
  }
}

function notHere(id: string): string {
  return `${id} is not on this machine; say \`deno install\`, and this again`;
}

/** Texts of licences and notices, none twice. */
async function textsIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && LICENCE_FILE.test(name)) names.push(name);
  }
  const texts = await Promise.all(
    names.sort().map((name) => Deno.readTextFile(join(folder, name))),
  );
  return [...new Set(texts.map((text) => text.replaceAll("\r\n", "\n").trim()))];
}
