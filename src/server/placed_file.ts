/** Files that another user than the server may put into the state directory, such as root. */

import { join } from "node:path";

/**
 * Makes a file there, whole or not at all, synced, which whoever the directory belongs to may read,
 * and nobody else: the server need not be who runs the command.
 * @throws {Deno.errors.AlreadyExists} and leaves what is there.
 * @throws {Error} when it cannot be made, or cannot be given to the directory's owner.
 */
export async function placeFile(
  directory: string,
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const path = join(directory, name);
  const fresh = `${path}.${crypto.randomUUID()}`;
  try {
    using file = await Deno.open(fresh, { write: true, createNew: true, mode: 0o600 });
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(await file.write(rest));
    const [made, { uid, gid }] = await Promise.all([Deno.stat(fresh), Deno.stat(directory)]);
    // Windows has no such owners. The group is of no matter, since it may do nothing.
    if (uid !== null && made.uid !== uid) await Deno.chown(fresh, uid, gid);
    await file.sync();
    await Deno.link(fresh, path);
  } finally {
    await Deno.remove(fresh).catch(() => {}); // it may never have been there
  }
}
