/** deno.lock, version 5: which packages there are, what they need, and the hashes of their archives. */

import * as z from "zod";
import { ReleaseError } from "./part.ts";

const lockFile = z.object({
  version: z.literal("5"),
  npm: z.record(
    z.string(),
    z.object({ integrity: z.string(), dependencies: z.array(z.string()).optional() }),
  ),
});

/** A package is named `name@version` here; the lock adds `_peer@version` to some. */
export class Lock {
  readonly #entries = new Map<string, { integrity: string; needs: readonly string[] }>();
  readonly #byName = new Map<string, string[]>();

  /** @throws {z.ZodError} for a text of another form. */
  constructor(text: string) {
    const { npm } = lockFile.parse(JSON.parse(text));
    for (const key of Object.keys(npm)) {
      const name = nameIn(key);
      this.#byName.set(name, [...new Set([...this.#byName.get(name) ?? [], plain(key)])]);
    }
    for (const [key, { integrity, dependencies = [] }] of Object.entries(npm)) {
      const needs = dependencies.map((dependency) => this.#meant(dependency));
      this.#entries.set(plain(key), { integrity, needs });
    }
  }

  /** @throws {ReleaseError} for a package that is not there. */
  needs(id: string): readonly string[] {
    return this.#entry(id).needs;
  }

  /** In hexadecimal. @throws {ReleaseError} for a package that is not there. */
  sha512(id: string): string {
    const [algorithm, base64 = ""] = this.#entry(id).integrity.split(/-(.*)/s);
    if (algorithm !== "sha512") {
      throw new ReleaseError(`deno.lock has no SHA-512 of ${id}; write the lock anew with Deno`);
    }
    return Uint8Array.fromBase64(base64).toHex();
  }

  /** The packages and all that they need, in order. */
  closure(ids: Iterable<string>): string[] {
    const found = new Set<string>();
    const visit = (id: string) => {
      if (found.has(id)) return;
      found.add(id);
      this.needs(id).forEach(visit);
    };
    for (const id of ids) visit(plain(id));
    return [...found].sort();
  }

  #entry(id: string) {
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    throw new ReleaseError(`${id} is in an executable, but not in deno.lock; compile again`);
  }

  /** The lock leaves the version out where there is only one. */
  #meant(dependency: string): string {
    const name = nameIn(dependency);
    if (dependency !== name) return plain(dependency);
    const [only, ...more] = this.#byName.get(name) ?? [];
    if (only !== undefined && more.length === 0) return only;
    throw new ReleaseError(
      `deno.lock does not say which ${name} is meant; write it anew with Deno`,
    );
  }
}

/** `@scope/name@1.0.0_peer@2.0.0` -> `@scope/name@1.0.0`. */
export function plain(key: string): string {
  const name = nameIn(key);
  return name + key.slice(name.length).replace(/_.*$/s, "");
}

/** `@scope/name@1.0.0` -> `@scope/name`. */
export function nameIn(key: string): string {
  const at = key.indexOf("@", 1);
  return at === -1 ? key : key.slice(0, at);
}
