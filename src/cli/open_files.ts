/** How many files and connections this process may have open at once: getrlimit(2). */

/** <asm-generic/resource.h>, which x86-64 and arm64 have. */
const RLIMIT_NOFILE = 7;

/**
 * Allows as many as the system lets a process allow itself; shells begin with 1024, which one wire's
 * connections can use up. `deno run` does so by itself, what `deno compile` makes does not.
 * @returns the number from now on; undefined where it cannot be asked, and stays what it is.
 */
export function raiseOpenFiles(): number | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const library = Deno.dlopen("libc.so.6", {
      getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
      setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    });
    const { getrlimit, setrlimit } = library.symbols;
    const limit = new BigUint64Array(2); // struct rlimit: soft, hard
    const isKnown = getrlimit(RLIMIT_NOFILE, limit) === 0;
    const [soft = 0n, hard = 0n] = limit;
    limit[0] = hard;
    const isRaised = isKnown && setrlimit(RLIMIT_NOFILE, limit) === 0;
    library.close();
    return isKnown ? Number(isRaised ? hard : soft) : undefined;
  } catch {
    return undefined; // another C library, or no right to call it
  }
}
