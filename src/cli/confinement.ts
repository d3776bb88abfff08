/** What each verb may do: an executable may do whatever one of its verbs needs, a verb gives up the rest. */

import type { Verb, Verbs } from "./program.ts";

const EVERYTHING = ["net", "read", "write", "env", "ffi", "sys", "run"] as const;
type Permission = (typeof EVERYTHING)[number];

/** By verb, as in deno.json's tasks. What is not listed may do nothing. */
const NEEDS: Readonly<Record<string, readonly Permission[]>> = {
  serve: ["net", "read", "write", "env", "ffi"],
  join: ["net", "read", "write", "env", "ffi", "sys"],
  status: ["net", "read", "env"],
  runs: ["read", "env"],
  rounds: ["read", "env"],
  models: ["read", "write", "env"],
  token: ["read", "write", "env"],
  init: ["read", "write", "env"],
  doctor: ["net", "read", "write", "env", "ffi", "sys"],
  completions: ["env", "sys"],
  demo: EVERYTHING,
  tls: ["read", "write", "env", "sys"],
  bench: EVERYTHING,
};

/** The same verbs; each gives up for good, before it is loaded, what it does not need. */
export function confined(verbs: Verbs): Verbs {
  return Object.fromEntries(
    Object.entries(verbs).map(([name, verb]) => [name, { ...verb, load: () => load(name, verb) }]),
  );
}

function load(name: string, verb: Verb): ReturnType<Verb["load"]> {
  const needs = needsOf(name, Deno.args);
  for (const each of EVERYTHING) {
    if (!needs.includes(each)) Deno.permissions.revokeSync({ name: each });
  }
  return verb.load();
}

/** @param args The whole command line. */
export function needsOf(name: string, args: readonly string[]): readonly Permission[] {
  const needs = NEEDS[name] ?? [];
  // A program of one's own may do whatever its user may.
  const exec = name === "join" && args.some((each) => /^--exec(=|$)/.test(each));
  return exec ? [...needs, "run"] : needs;
}
