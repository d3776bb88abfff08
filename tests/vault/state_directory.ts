/** Directories that last as long as a test, and copies of them as they are at an instant. */

import { join } from "node:path";

export class StateDirectory implements Disposable {
  readonly path: string;

  constructor() {
    this.path = Deno.makeTempDirSync();
  }

  /** What a process that ends now leaves behind. */
  copy(): StateDirectory {
    const copy = new StateDirectory();
    copyInto(this.path, copy.path);
    return copy;
  }

  /** The names of all files, sorted. */
  files(folder = ""): string[] {
    return [...Deno.readDirSync(join(this.path, folder))].flatMap(({ name, isDirectory }) =>
      isDirectory ? this.files(join(folder, name)) : [join(folder, name)]
    ).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function copyInto(from: string, to: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) {
      Deno.mkdirSync(join(to, name));
      copyInto(join(from, name), join(to, name));
    } else Deno.copyFileSync(join(from, name), join(to, name));
  }
}
