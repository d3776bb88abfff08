/** What a tool said, whether or not it succeeded. */

export interface Said {
  readonly code: number;
  /** Standard output. */
  readonly text: string;
  readonly lines: readonly string[];
  /** Standard error. */
  readonly errors: string;
}

/** Runs a tool to its end. */
export async function said(
  program: string,
  { args, input = "" }: { readonly args: readonly string[]; readonly input?: string | Uint8Array },
): Promise<Said> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), write(child, input)]);
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout);
  return { code, text, lines: text.trimEnd().split("\n"), errors: decoder.decode(stderr) };
}

async function write({ stdin }: Deno.ChildProcess, input: string | Uint8Array): Promise<void> {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const writer = stdin.getWriter();
  try {
    if (bytes.length > 0) await writer.write(bytes);
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // it has read enough
  }
}
