/** `join --cpu-share`. */

import { OperatorError } from "./exit.ts";

/**
 * All of the time where nothing is said.
 * @throws {OperatorError} for what is no share, or with a program that cannot be held back.
 */
export function cpuShareOf(
  text: string | undefined,
  { exec }: { exec: string | undefined },
): number {
  if (text === undefined) return 1;
  // Stopped by SIGSTOP, a program would stay stopped for ever should `join` be killed meanwhile.
  if (exec !== undefined) {
    throw new OperatorError(
      "--cpu-share cannot hold back a program of --exec; limit it from outside, by CPUQuota= of " +
        "its systemd unit, docker run --cpus, or nice",
    );
  }
  const share = Number(text);
  if (/^[\d.]+$/.test(text) && share > 0 && share <= 1) return share;
  throw new OperatorError(
    `--cpu-share is ${JSON.stringify(text)}, but must be above 0 and at most 1, such as 0.25`,
  );
}
