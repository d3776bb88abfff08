/** What these tests need from the system, and what becomes of them without it. */

import { join } from "node:path";

/** Where programs are that Debian has for root alone, or behind a wrapper that changes the user. */
const OTHER_PLACES = ["/usr/lib/rabbitmq/bin", "/usr/sbin", "/usr/local/sbin"];

/** The path of a program, if it is there. */
export function installed(program: string): string | undefined {
  const places = [...OTHER_PLACES, ...(Deno.env.get("PATH") ?? "").split(":")];
  return places.map((place) => join(place, program)).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Registers `tests` where all programs are there. In CI a missing one is a failure. */
export function withPrograms(programs: readonly string[], tests: () => void): void {
  const missing = programs.filter((program) => installed(program) === undefined);
  if (missing.length === 0) return tests();
  const sentence = `${missing.join(" and ")} must be installed for these tests`;
  Deno.test({
    name: sentence,
    ignore: Deno.env.get("CI") !== "true",
    fn: () => {
      throw new Error(sentence);
    },
  });
}
