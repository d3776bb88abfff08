/** The Deno whose runtime becomes the executable's; not always the one that builds it. */

const SUPPORT = new URL("../protocols/grpc/support.ts", import.meta.url).href;

/** The Deno that compiles, unless another is named: DENO_COMPILER, or the one that runs this. */
export const COMPILER = Deno.env.get("DENO_COMPILER") ?? Deno.execPath();

export interface Compiler {
  readonly path: string;
  /** What the executable is built upon, instead of the denort that Deno downloads. */
  readonly runtime?: string;
  /** E.g. 2.9.6. */
  readonly version: string;
  /** Why its executables cannot serve gRPC; undefined where they can. */
  readonly grpcRefusal: string | undefined;
}

/** @throws {Error} when there is no Deno at `path`. */
export async function openCompiler(path: string): Promise<Compiler> {
  const code = `JSON.stringify({
    version: Deno.version.deno,
    grpcRefusal: (await import(${JSON.stringify(SUPPORT)})).grpcRefusal(),
  })`;
  const { success, stdout } = await new Deno.Command(path, {
    args: ["eval", "--print", "--no-config", "--no-lock", code],
    stdin: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${path} is no Deno`);
  const { version, grpcRefusal } = JSON.parse(new TextDecoder().decode(stdout));
  return { path, version, grpcRefusal };
}

/**
 * An executable of the modules in `directory`: `main`, with `included` beside it, which are files or
 * folders. Returns the list of what is inside, as Deno prints it.
 */
export async function compile(
  { path, runtime }: Compiler,
  spec: {
    readonly directory: string;
    readonly main: string;
    readonly included: readonly string[];
    readonly output: string;
    readonly target: string;
    /** Of the executable, and what else it is started with. */
    readonly options: readonly string[];
  },
): Promise<string> {
  const { directory, main, included, output, target, options } = spec;
  const args = [
    "compile",
    ...["--no-config", "--no-lock", "--no-npm", "--no-remote", "--no-check"],
    "--no-code-cache", // it would be left in the temporary directory
    ...options,
    ...included.flatMap((each) => ["--include", each]),
    // Its own target named, Deno would download what DENORT_BIN is to spare it.
    ...(target === Deno.build.target ? [] : ["--target", target]),
    ...["--output", output],
    main,
  ];
  const child = await new Deno.Command(path, {
    args,
    cwd: directory,
    env: {
      NO_COLOR: "1",
      RUST_MIN_STACK: String(STACK_BYTES),
      ...(runtime === undefined ? {} : { DENORT_BIN: runtime }),
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = new TextDecoder().decode(child.stdout) + new TextDecoder().decode(child.stderr);
  if (child.success) return said;
  throw new Error(`deno compile failed:\n${said.replace(/\n*Stack backtrace:.*/s, "")}`);
}

/** Deno's walk through the module graph is recursive. */
const STACK_BYTES = 128 * 1024 * 1024;
