/** Set-up's step for DDS: fetches libddsc from the Python package `cyclonedds`, which brings it along. */

import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { FETCHED_DIRECTORY, FETCHED_NAME, RELEASE } from "./library.ts";
import { fileInWheel } from "./wheel.ts";

/** The package's wheel for one system. */
interface Wheel {
  /** pip's name of the system. */
  readonly platform: string;
  readonly sha256: string;
  /** Where libddsc is in the wheel. */
  readonly member: string;
}

/** By Deno.build.target. Always CPython 3.11's wheel, whatever Python is here: libddsc is the same. */
const WHEELS: Readonly<Record<string, Wheel>> = {
  "x86_64-unknown-linux-gnu": {
    platform: "manylinux2014_x86_64",
    sha256: "dce635041d42e954a5fec187dabf99d4b36c9daa54cc97d6d2238985e3ef6101",
    member: "cyclonedds/.libs/libddsc.so",
  },
  "x86_64-apple-darwin": {
    platform: "macosx_10_9_x86_64",
    sha256: "0f883d834d8cf62416e83d878716d7d80d26b8356cc0678aaf1363f65102a99d",
    member: "cyclonedds/.dylibs/libddsc.11.0.1.dylib",
  },
  "aarch64-apple-darwin": {
    platform: "macosx_11_0_arm64",
    sha256: "a0a3a3db3245749a1e4934bfca21ebaa3fd79d62dcbd5961a42011ce74affcd1",
    member: "cyclonedds/.dylibs/libddsc.11.0.1.dylib",
  },
  "x86_64-pc-windows-msvc": {
    platform: "win_amd64",
    sha256: "6079bf42cfe1f201356b18e093a3c6a57983b96a7c70c359723457df399b7ed5",
    member: "cyclonedds/.libs/ddsc.dll",
  },
};

/** How pip is called, whichever is there. */
const PIPS: readonly (readonly [string, ...string[]])[] = [
  ["python3", "-m", "pip"],
  ["python", "-m", "pip"],
  ["py", "-m", "pip"],
  ["pip3"],
  ["pip"],
];

export interface FetchOptions {
  /** Where libddsc goes; the one that `findLibrary` looks into unless given. */
  readonly directory?: string;
  /** The system it is for, as Deno.build.target names it; this one unless given. */
  readonly target?: string;
}

/** Whether there is a libddsc to fetch for a system. */
export function isFetchable(target: string): boolean {
  return target in WHEELS;
}

/**
 * The path of libddsc in `directory`, fetched if it is not there yet. Several may call at once.
 * Needs to read and write the directory and a temporary one, and to run pip.
 * @throws {Error} with one sentence when it is not to be had.
 */
export async function fetchLibrary(
  { directory = fileURLToPath(FETCHED_DIRECTORY), target = Deno.build.target }: FetchOptions = {},
): Promise<string> {
  const path = join(directory, FETCHED_NAME);
  if (await exists(path)) return path;
  const wheel = WHEELS[target];
  if (wheel === undefined) {
    throw new Error(
      `Cannot fetch libddsc: the Python package cyclonedds ${RELEASE} has none for ` +
        `${target}; install Cyclone DDS and name its libddsc in --dds-library`,
    );
  }
  const temporary = await Deno.makeTempDir({ prefix: "libddsc-" });
  try {
    const library = await fileInWheel(await download(wheel, temporary), wheel.member);
    await Deno.mkdir(directory, { recursive: true });
    // Beside its place, so that renaming is atomic: nobody ever opens half a library.
    const beside = await Deno.makeTempFile({ dir: directory, prefix: FETCHED_NAME });
    await Deno.writeFile(beside, library);
    await Deno.rename(beside, path);
    return path;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

async function download(wheel: Wheel, directory: string): Promise<Uint8Array<ArrayBuffer>> {
  const options = [
    "download",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    ...["--only-binary", ":all:"],
    ...["--implementation", "cp"],
    ...["--python-version", "3.11"],
    ...["--abi", "cp311"],
    ...["--platform", wheel.platform],
    ...["--dest", directory],
    `cyclonedds==${RELEASE}`,
  ];
  await pip(options);
  for await (const { name } of Deno.readDir(directory)) {
    const bytes = await Deno.readFile(join(directory, name));
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    if (sha256 === wheel.sha256) return bytes;
    throw new Error(
      `Cannot use ${name} for libddsc: its SHA-256 is ${sha256}, not the expected ${wheel.sha256}`,
    );
  }
  throw new Error("Cannot fetch libddsc: pip ended without an error and without a file");
}

async function pip(options: readonly string[]): Promise<void> {
  for (const [command, ...args] of PIPS) {
    const output = await run(command, [...args, ...options]);
    if (output === undefined || output.missing) continue;
    if (output.success) return;
    throw new Error(`Cannot fetch libddsc: pip says ${output.lastLine}`);
  }
  throw new Error(
    "Cannot fetch libddsc: pip is not installed; install Python 3 with pip, or install Cyclone DDS",
  );
}

/** Undefined where there is no such command. */
async function run(command: string, args: string[]) {
  try {
    const output = await new Deno.Command(command, { args, stdin: "null" }).output();
    const text = new TextDecoder().decode(output.stderr).trim();
    return {
      success: output.success,
      missing: text.includes("No module named pip"),
      lastLine: text.split("\n").at(-1) ?? "",
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
