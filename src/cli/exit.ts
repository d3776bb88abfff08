/** How a command ends: its exit code, and the errors that choose it. */

import { ConfigError } from "../config/config_error.ts";
import { ListenError } from "../contract/protocol_server.ts";
import { printable } from "../printable.ts";
import type { Output } from "./io.ts";
import { paint } from "./paint.ts";

/** Documented in the program's help. */
export const exit = { ok: 0, failed: 1, usage: 2, suspended: 3 } as const;

export type ExitCode = (typeof exit)[keyof typeof exit];

/** Something the operator must change, in one sentence; nothing was started. Exit code 2. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
}

/** What the command was to do did not come about, in one sentence. Exit code 1. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/**
 * The run had to stop, and all that it has is kept: started again once what the sentence names is
 * mended, it goes on. Exit code 3.
 */
export class Suspended extends Error {
  override readonly name = "Suspended";
}

/** The help or the version was written, which is all there was to do. Exit code 0. */
export class Answered extends Error {
  override readonly name = "Answered";
}

/** EMFILE, as Deno and Node word it. */
const NO_MORE_FILES = /Too many open files|\bEMFILE\b/;

/** What the system's own words do not say: what to change. */
function advised(sentence: string): string {
  return NO_MORE_FILES.test(sentence)
    ? `${sentence}; allow more by \`ulimit -n\`, or LimitNOFILE= of a systemd unit`
    : sentence;
}

/**
 * Writes an error for people and chooses the exit code. Only our own bugs show a stack. A server, a
 * broker or a program may have chosen some of the words.
 */
export function report(error: unknown, stderr: Output): ExitCode {
  if (error instanceof Answered) return exit.ok;
  const label = paint(stderr, "bad", "error:");
  const say = (sentence: string) => stderr.write(`${label} ${advised(onOneLine(sentence))}\n`);
  if (error instanceof ConfigError) {
    for (const sentence of error.sentences) say(sentence);
    return exit.usage;
  }
  if (error instanceof OperatorError || error instanceof ListenError) {
    say(error.message);
    return exit.usage;
  }
  if (error instanceof Failure) {
    say(error.message);
    return exit.failed;
  }
  if (error instanceof Suspended) {
    say(error.message);
    return exit.suspended;
  }
  const trace = error instanceof Error ? error.stack ?? error.message : String(error);
  say("this is a bug in Tributary; please report it with these lines");
  stderr.write(`${trace.split("\n").map(printable).join("\n")}\n`);
  return exit.failed;
}

function onOneLine(text: string): string {
  return printable(text.split("\n").map((line) => line.trim()).join(" "));
}
