/** A program of the system that runs beside the tests, what it says in a file. */

export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The file it writes to; in a directory of its own, or with others of the same tests. */
  readonly log: string;
  /** What it says once it serves. */
  readonly ready: RegExp;
}

export class Daemon {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /**
   * Resolves once the program serves.
   * @throws {Error} with what it said, when it ends before.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { program, args, env = {}, log, ready } = options;
    await Deno.writeTextFile(log, "");
    const watcher = Deno.watchFs(log);
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", 'exec "$0" "$@" >"$LOG" 2>&1', program, ...args],
      env: { ...env, LOG: log },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let ended = false;
    void child.status.then(() => {
      ended = true;
      close(watcher);
    });
    for await (const _ of watcher) {
      if (ready.test(await Deno.readTextFile(log))) break;
    }
    close(watcher);
    if (ended) throw new Error(`${program} ended: ${await Deno.readTextFile(log)}`);
    return new Daemon(child);
  }

  /** Ends it without a warning, as a power cut would. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.killNow();
    await this.#child.status;
  }

  killNow(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
  }
}

function close(watcher: Deno.FsWatcher): void {
  try {
    watcher.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // closed before
  }
}
