/** What a power cut leaves of a file that was not synced. */

/** What is done to the file at a path, and what it is then. */
export const DAMAGES: readonly [damage: (path: string) => void, what: string][] = [
  [(path) => Deno.truncateSync(path, 100), "cut short"],
  [(path) => Deno.truncateSync(path, 0), "empty"],
  [flip, "changed in one bit"],
  [(path) => Deno.writeFileSync(path, new Uint8Array(Deno.statSync(path).size)), "full of zeros"],
  [(path) => Deno.removeSync(path), "missing"],
];

/** The last byte's lowest bit: a value that every check but the checksum takes. */
function flip(path: string): void {
  const bytes = Deno.readFileSync(path);
  const last = bytes.length - 4;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}
