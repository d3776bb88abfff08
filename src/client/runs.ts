/** A client's life: a session in one run after another. */

import { pause, pauseMs } from "./dialling.ts";
import type { ClientState } from "./client_state.ts";
import type { FinishedRun } from "./kept.ts";
import { type FinalModel, Session, type SessionOptions } from "./session.ts";

/** So long a client waits, at most, for the next run to come or a server that has gone. */
export const PATIENCE_MS = 30_000;

export interface RunsOptions extends Omit<SessionOptions, "kept" | "keeping" | "finished"> {
  /** Ends with the first run that finishes; what passes by itself is not waited out. */
  readonly once: boolean;
  readonly state?: ClientState | undefined;
  /** Gets the final model of each run. */
  readonly finished: (final: FinalModel) => Promise<void>;
}

/**
 * Takes part in the next run, or in one after the other until the signal fires.
 * @throws what `Session.run` throws.
 */
export async function takePart(options: RunsOptions): Promise<void> {
  const { once, state, signal, observe, patienceMs = PATIENCE_MS } = options;
  let past: FinishedRun | undefined = once ? undefined : state?.finishedRun;
  for (;;) {
    past = await takePartIn(options, past);
    if (once) return;
    const retryInMs = pauseMs(0, { firstMs: patienceMs, mostMs: patienceMs });
    observe({ kind: "waiting", reason: "The run is over", retryInMs });
    await pause(retryInMs, signal);
  }
}

/** Its model is let go with it: nobody needs it while the next run is waited for. */
async function takePartIn(
  options: RunsOptions,
  past: FinishedRun | undefined,
): Promise<FinishedRun> {
  const { once, state, patienceMs = PATIENCE_MS } = options;
  const session = new Session({
    ...options,
    patienceMs: once ? undefined : patienceMs,
    kept: state?.takeKept(),
    keeping: state,
    finished: past,
  });
  const final = await session.run();
  await options.finished(final);
  const { runId, modelSha256 } = final;
  return { runId, modelSha256 };
}
