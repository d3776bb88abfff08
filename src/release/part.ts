/** Something of others that the executables hold. */

export interface Part {
  readonly kind: "package" | "runtime" | "library" | "data";
  readonly name: string;
  readonly version?: string;
  /** An SPDX identifier or expression (SPDX 2.3, annex D). */
  readonly licence: string;
  /** The licence as it comes with the part, and what else it wants repeated. */
  readonly texts: readonly string[];
  /** Whose it is; given where `texts` does not say it. */
  readonly copyright?: string;
  readonly purl?: string;
  /** Of the archive that the registry has, in hexadecimal. */
  readonly sha512?: string;
  /** Where it comes from. */
  readonly source?: string;
  readonly description?: string;
  /** By their `idOf`. */
  readonly needs: readonly string[];
}

export function idOf({ name, version }: Pick<Part, "name" | "version">): string {
  return version === undefined ? name : `${name}@${version}`;
}

/** What makes a release impossible, in one sentence. */
export class ReleaseError extends Error {
  override readonly name = "ReleaseError";
}
