/** A client of the bench: takes part until the run is over, and writes down how fast models passed. */

import { Session } from "../client/session.ts";
import type { Line } from "../demo/client_process.ts";
import type { Log } from "../log.ts";
import { readAddress } from "../protocols/mod.ts";
import { EchoTrainer } from "./echo_trainer.ts";
import type { Passage } from "./figures.ts";
import { Stopwatch } from "./stopwatch.ts";

export interface BenchClientOptions {
  readonly url: string;
  readonly id: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const PASSED = "model passed";

/**
 * Writes one log line for each round.
 * @throws {Error} when anything but a clean run happens.
 */
export async function runBenchClient({ url, id, log, signal }: BenchClientOptions): Promise<void> {
  const failed = new AbortController();
  const stopwatch = new Stopwatch(() => performance.now(), (passage) => {
    const { round, down, up } = passage;
    log.write("info", PASSED, {
      round,
      down_bytes: down.bytes,
      down_seconds: down.seconds,
      up_bytes: up.bytes,
      up_seconds: up.seconds,
    });
  });
  await using trainer = new EchoTrainer();
  const session = new Session({
    clientId: id,
    urls: [readAddress(url)],
    trainer,
    software: "tributary bench",
    signal: AbortSignal.any([signal, failed.signal]),
    observe: (event) => {
      try {
        stopwatch.observe(event);
      } catch (error) {
        failed.abort(error);
      }
    },
  });
  await session.run();
}

/** What a client's log line says of a passage; undefined for other lines. */
export function passageOf(line: Line): Passage | undefined {
  if (line.message !== PASSED) return undefined;
  return {
    round: Number(line.round),
    down: { bytes: Number(line.down_bytes), seconds: Number(line.down_seconds) },
    up: { bytes: Number(line.up_bytes), seconds: Number(line.up_seconds) },
  };
}
