/** What the executable may do at all; src/cli/confinement.ts says what each verb keeps of it. */

/** As options of `deno compile`. Code never comes from elsewhere, and nobody is asked for more. */
export const PERMISSIONS = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-ffi",
  "--allow-sys=hostname,networkInterfaces,statfs,systemMemoryInfo",
  "--allow-run",
  "--deny-import",
  "--no-prompt",
] as const;
