/** A command in a process group of its own, so that it can be ended with all that it started. */

import { readLines } from "./lines.ts";

export interface GroupOptions {
  /** Added to this process's own. */
  readonly environment: Readonly<Record<string, string>>;
  /** Gets each line that is written, as it comes. */
  readonly hear: (line: string, output: "stdout" | "stderr") => void;
  /** Ends the group: SIGTERM, then SIGKILL. */
  readonly signal: AbortSignal;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
}

/**
 * Runs a command of the POSIX shell to its end, and ends what it leaves running in its group.
 *
 * @throws the signal's reason, once the group is gone.
 */
export async function runGroup(
  command: string,
  { environment, hear, signal, graceMs }: GroupOptions,
): Promise<Deno.CommandStatus> {
  signal.throwIfAborted();
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", command],
    clearEnv: true,
    env: { ...inherited(), ...environment },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true, // setsid(2): its pid names the group
  }).spawn();
  const killed = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const kill = () => {
    send(child.pid, "SIGKILL");
    killed.abort();
  };
  const stop = () => {
    if (timer !== undefined) return;
    send(child.pid, "SIGTERM");
    timer = setTimeout(kill, graceMs);
  };
  signal.addEventListener("abort", stop);
  globalThis.addEventListener("unload", kill); // a terminal's Ctrl-C does not reach the group
  try {
    const reading = Promise.all([
      readLines(child.stdout, { hear: (line) => hear(line, "stdout"), signal: killed.signal }),
      readLines(child.stderr, { hear: (line) => hear(line, "stderr"), signal: killed.signal }),
    ]);
    const status = await child.status;
    // Whoever is left of the group holds the outputs open.
    stop();
    await reading;
    signal.throwIfAborted();
    return status;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    globalThis.removeEventListener("unload", kill);
  }
}

/** kill(2): a negative pid names a process group. */
function send(group: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-group, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // nobody is left
  }
}

/** This process's environment, but for the client's secret: no trainer needs it. */
function inherited(): Record<string, string> {
  const { TRIBUTARY_TOKEN: _, ...environment } = Deno.env.toObject();
  return environment;
}
