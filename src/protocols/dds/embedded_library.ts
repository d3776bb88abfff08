/** libddsc as the program brings it along. In the executable another file stands in for this one. */

/**
 * The path of the library, where there is one inside.
 * @throws {LibraryError} when it cannot be unpacked.
 */
export function embeddedLibrary(): string | undefined {
  return undefined; // sources bring none: set-up fetches it
}
