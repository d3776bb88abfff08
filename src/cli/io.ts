/** What a command reads and writes; handed in, so that tests see all of it. */

import { Failure } from "./exit.ts";

/** Where text goes. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly colours: boolean;
  /**
   * Shows one line below everything that is written, on either output, until it is replaced; an
   * empty one removes it. Nothing happens where there is no terminal.
   */
  bottomLine(text: string): void;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string>>;
  /** Aborts when the operator wants the command to stop (Ctrl-C). */
  readonly signal: AbortSignal;
}

/** The far end of an output. */
export interface Stream {
  write(text: string): void;
  readonly isTerminal: boolean;
  readonly columns: number;
}

export interface IoOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export function makeIo({ stdout, stderr, environment, signal }: IoOptions): Io {
  const bottom = new BottomLine(stderr);
  const colours = (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb";
  const output = (stream: Stream): Output => ({
    write: (text) => bottom.above(() => stream.write(text)),
    isTerminal: stream.isTerminal,
    columns: stream.columns,
    colours: colours && stream.isTerminal,
    bottomLine: (text) => bottom.show(text),
  });
  return { stdout: output(stdout), stderr: output(stderr), environment, signal };
}

/** A terminal's last line, which moves down as lines are written above it. */
class BottomLine {
  readonly #stream: Stream;
  #text = "";

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  show(text: string): void {
    if (!this.#stream.isTerminal) return;
    // A line that wraps could not be erased. One column stays free for the cursor.
    const fitting = [...text].slice(0, this.#stream.columns - 1).join("");
    if (fitting === this.#text) return;
    this.#erase();
    this.#text = fitting;
    this.#draw();
  }

  /** @param write Writes whole lines. */
  above(write: () => void): void {
    this.#erase();
    write();
    this.#draw();
  }

  #erase(): void {
    if (this.#text !== "") this.#stream.write("\r\x1b[2K"); // ECMA-48 EL: the whole line
  }

  #draw(): void {
    if (this.#text !== "") this.#stream.write(this.#text);
  }
}

/** The process's own streams, environment and signals, until disposal. */
export function processIo(): Io & Disposable {
  const stop = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const onSignal = () => {
    // Who asks twice does not want to wait. 130: ended by SIGINT, as shells report it.
    if (stop.signal.aborted) Deno.exit(130);
    stop.abort(new Error("Stopped by the operator"));
  };
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  const io = makeIo({
    stdout: streamOf(Deno.stdout),
    stderr: streamOf(Deno.stderr),
    environment: Deno.env.toObject(),
    signal: stop.signal,
  });
  return {
    ...io,
    [Symbol.dispose]: () => {
      for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
    },
  };
}

function streamOf(file: typeof Deno.stdout | typeof Deno.stderr): Stream {
  let open = true;
  return {
    isTerminal: file.isTerminal(),
    get columns() {
      return file.isTerminal() ? Deno.consoleSize().columns : 80;
    },
    write: (text) => {
      let bytes = new TextEncoder().encode(text);
      try {
        while (open && bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
      } catch (error) {
        // The reader has seen enough (`tributary status | head`): no reason to fail.
        if (error instanceof Deno.errors.BrokenPipe) open = false;
        // No server ends for want of room for its log: there is nobody else to tell.
        else if (file === Deno.stdout) throw new Failure(`Cannot write: ${reasonOf(error)}`);
      }
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
