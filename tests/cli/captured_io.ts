/** A command's outputs, caught. */

import { type Io, makeIo } from "../../src/cli/io.ts";

export interface CapturedIo extends Io {
  /** All that was written. */
  written(output: "stdout" | "stderr"): string;
}

export function capturedIo(
  { terminal = false, columns = 80, environment = {}, signal = new AbortController().signal }: {
    terminal?: boolean;
    columns?: number;
    environment?: Readonly<Record<string, string>>;
    signal?: AbortSignal;
  } = {},
): CapturedIo {
  const texts = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    write: (text: string) => void (texts[name] += text),
    isTerminal: terminal,
    columns,
  });
  const io = makeIo({ stdout: stream("stdout"), stderr: stream("stderr"), environment, signal });
  return { ...io, written: (output) => texts[output] };
}
