/** A disk of its own for a test, where this system lets it be made. */

import { StateDirectory } from "../vault/state_directory.ts";

export interface SmallDisk extends Disposable {
  readonly path: string;
}

/** @param options Of mount(8)'s tmpfs: `size=1m`, `ro`. Undefined where nothing can be mounted. */
export function smallDisk(options: string): SmallDisk | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  const directory = new StateDirectory();
  const { path } = directory;
  const args = ["-t", "tmpfs", "-o", options, "tmpfs", path];
  if (!new Deno.Command("mount", { args, stderr: "null" }).outputSync().success) {
    directory[Symbol.dispose]();
    return undefined;
  }
  return {
    path,
    [Symbol.dispose]: () => {
      new Deno.Command("umount", { args: [path] }).outputSync();
      directory[Symbol.dispose]();
    },
  };
}

/** Registers a test that mounts: where it cannot, it is ignored, and its name says so. */
export function mountingTest(name: string, fn: () => void | Promise<void>): void {
  using disk = smallDisk("size=64k");
  const ignore = disk === undefined;
  Deno.test({ name: ignore ? `${name} (this user may not mount a disk)` : name, ignore, fn });
}

/** Takes all the room there is. */
export function fill(path: string): void {
  using file = Deno.openSync(path, { write: true, create: true, append: true });
  for (let length = 65_536; length >= 1; length >>= 1) {
    try {
      for (;;) file.writeSync(new Uint8Array(length));
    } catch (error) {
      if (!/No space left/.test(String(error))) throw error;
    }
  }
}
