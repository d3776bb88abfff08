/** What these tests need from the system, and what becomes of them without it. */

import { join } from "node:path";

/** What to install for a program. */
const PACKAGES: Readonly<Record<string, string>> = { epmd: "erlang-base" };

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
export async function withPrograms(
  programs: readonly string[],
  tests: () => void | Promise<void>,
): Promise<void> {
  const missing = programs.filter((program) => installed(program) === undefined);
  if (missing.length === 0) return await tests();
  const packages = missing.map((program) => PACKAGES[program] ?? program).join(" ");
  const verb = missing.length === 1 ? "is" : "are";
  const sentence = `${missing.join(" and ")} ${verb} missing: apt-get install ${packages}`;
  Deno.test({
    name: sentence,
    ignore: Deno.env.get("CI") !== "true",
    fn: () => {
      throw new Error(sentence);
    },
  });
}
