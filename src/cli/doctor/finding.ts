/** What one check has found. */

export type State = "ok" | "warning" | "failed";

export interface Finding {
  /** What was looked at, e.g. `port mqtt`. */
  readonly check: string;
  /** `warning`: a server starts, but see to it; `failed`: it does not start, or lacks what it was told of. */
  readonly state: State;
  /** What was seen, one sentence without its stop. */
  readonly seen: string;
  /** What to do, one sentence without its stop; empty where nothing is to be done. */
  readonly todo: string;
}

export function ok(check: string, seen: string): Finding {
  return { check, state: "ok", seen, todo: "" };
}

export function warning(check: string, seen: string, todo: string): Finding {
  return { check, state: "warning", seen, todo };
}

export function failed(check: string, seen: string, todo: string): Finding {
  return { check, state: "failed", seen, todo };
}

/** A sentence of the house's for operators says behind its last semicolon what to do. */
export function failedAs(check: string, sentence: string): Finding {
  const at = sentence.lastIndexOf("; ");
  return at === -1
    ? failed(check, sentence, "see to what it says")
    : failed(check, sentence.slice(0, at), sentence.slice(at + 2));
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
