/** Whether the memory of this machine holds what a round may need. */

import type { Config } from "../../config.ts";
import { bytesText } from "../quantities.ts";
import { failed, type Finding, ok, warning } from "./finding.ts";

/** What the process takes before there is a model. */
const PROGRAM_BYTES = 400 * 1024 * 1024;
/** In a container: what its control group may use, by version 2 and 1 of the kernel's interface. */
const LIMITS = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

const CHECK = "memory";

/** @param availableBytes What this process could have. */
export function checkMemory(
  config: Config,
  modelBytes: number | undefined,
  availableBytes = available(),
): Finding {
  const free = `${bytesText(availableBytes)} are available`;
  if (availableBytes < PROGRAM_BYTES) {
    return failed(CHECK, `only ${free}`, `give it ${bytesText(PROGRAM_BYTES)} and the models`);
  }
  if (modelBytes === undefined) return ok(CHECK, free);
  const { training: { minClients }, limits: { maxBytesInFlight }, protocols } = config;
  // The model about twice, a copy for each wire, and the sum: 8 bytes for each float32.
  const standing = PROGRAM_BYTES + modelBytes * (2 + protocols.length + 2);
  const uploads = Math.min(maxBytesInFlight, minClients * modelBytes);
  const needed = standing + uploads;
  const round = `a round of ${minClients} takes about ${bytesText(needed)}`;
  if (needed <= availableBytes) return ok(CHECK, `${free}, and ${round}`);
  return warning(
    CHECK,
    `only ${free}, and ${round}`,
    "add memory, lower --max-bytes-in-flight, or serve fewer wires by --protocols",
  );
}

function available(): number {
  const limits = LIMITS.flatMap((path) => {
    try {
      const bytes = Number(Deno.readTextFileSync(path));
      return Number.isFinite(bytes) ? [bytes] : []; // "max" is no limit
    } catch {
      return []; // not this interface, or no container
    }
  });
  return Math.min(Deno.systemMemoryInfo().available, ...limits);
}
