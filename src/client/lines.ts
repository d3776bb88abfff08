/** The lines of a program's output, each of bounded length, whatever the program writes. */

/** What is kept of a line. */
const MAX_LINE_CHARS = 4096;

export interface LineOptions {
  /** Gets each line that is not blank; a carriage return ends one too, as progress bars use it. */
  readonly hear: (line: string) => void;
  /** Ends the reading before the output ends. */
  readonly signal: AbortSignal;
}

/** Reads UTF-8 to its end. Never rejects. */
export async function readLines(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  { hear, signal }: LineOptions,
): Promise<void> {
  let rest = "";
  const take = (line: string) => {
    const text = line.slice(0, MAX_LINE_CHARS).trimEnd();
    if (text !== "") hear(text);
  };
  const sink = new WritableStream<string>({
    write(text) {
      const lines = (rest + text).split(/[\r\n]+/);
      rest = (lines.pop() ?? "").slice(0, MAX_LINE_CHARS);
      for (const line of lines) take(line);
    },
  });
  try {
    await output.pipeThrough(new TextDecoderStream()).pipeTo(sink, { signal });
  } catch {
    // Ended early: what has come is all there is.
  }
  take(rest);
}
