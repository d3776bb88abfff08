/** All checks of a configuration, in the order in which a server would come upon what they find. */

import type { Config } from "../../config.ts";
import { checkBrokers } from "./brokers.ts";
import { checkCertificates } from "./certificates.ts";
import { checkClock } from "./clock.ts";
import { checkDisk } from "./disk.ts";
import type { Finding } from "./finding.ts";
import { checkLibddsc } from "./libddsc.ts";
import { listenersOf } from "./listeners.ts";
import { checkMemory } from "./memory.ts";
import { checkPort } from "./ports.ts";
import { checkRun } from "./run.ts";
import { checkRuntime } from "./runtime.ts";

export interface ExaminationOptions {
  /** The wires were asked for by name: each must be there. */
  readonly mandatory: boolean;
  readonly signal: AbortSignal;
}

export async function examine(
  config: Config,
  { mandatory, signal }: ExaminationOptions,
): Promise<readonly Finding[]> {
  const run = await checkRun(config);
  const ports: Finding[] = [];
  for (const listener of listenersOf(config)) ports.push(await checkPort(listener));
  return [
    checkClock(config.state),
    await checkDisk(config, run.modelBytes),
    checkMemory(config, run.modelBytes),
    run.finding,
    ...await checkCertificates(config),
    checkRuntime(config, { mandatory }),
    checkLibddsc(config, { mandatory }),
    ...ports,
    ...await checkBrokers(config, signal),
  ];
}
