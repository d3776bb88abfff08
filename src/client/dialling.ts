/** Reaching a server by any of its URLs: in order, and again with growing pauses. */

import { type Connection, ConnectionLost, type DialOptions } from "../contract/connection.ts";
import { dialUrl } from "../protocols/mod.ts";

export interface Backoff {
  readonly firstMs: number;
  readonly mostMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { firstMs: 250, mostMs: 30_000 };

/** Lets time pass. @throws the signal's reason once it fires. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, durationMs);
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** The pause after `failures` failed rounds: doubling, capped, and jittered so that fleets spread. */
export function pauseMs(
  failures: number,
  { firstMs, mostMs }: Backoff,
  random = Math.random(),
): number {
  const cap = Math.min(mostMs, firstMs * 2 ** Math.min(failures, 30));
  return cap / 2 + random * cap / 2;
}

export interface CallOptions extends DialOptions {
  /** How long one URL may take to answer. */
  readonly dialTimeoutMs: number;
}

export interface DiallingOptions extends CallOptions {
  readonly urls: readonly URL[];
  readonly backoff: Backoff;
  readonly failed: (url: URL, reason: string, retryInMs: number | undefined) => void;
  /** Gets each URL before it is called. */
  readonly calling?: (url: URL) => void;
}

/**
 * The first connection that any of the URLs gives, tried in their order until one answers.
 * @throws {TypeError} for a URL no wire can read.
 * @throws the signal's reason once it fires.
 */
export async function reach(options: DiallingOptions): Promise<Connection> {
  const { urls, backoff, signal, failed, calling } = options;
  for (let failures = 0;; failures++) {
    const retryInMs = pauseMs(failures, backoff);
    for (const [index, url] of urls.entries()) {
      signal.throwIfAborted();
      calling?.(url);
      try {
        return await dialOnce(url, options);
      } catch (error) {
        signal.throwIfAborted(); // a wire may name the abort in its own way
        if (!(error instanceof ConnectionLost)) throw error;
        failed(url, error.message, index === urls.length - 1 ? retryInMs : undefined);
      }
    }
    await pause(retryInMs, signal);
  }
}

/**
 * A connection by one URL.
 * @throws {TypeError} for a URL no wire can read.
 * @throws {ConnectionLost} when it gives none in time.
 */
export async function dialOnce(url: URL, options: CallOptions): Promise<Connection> {
  const { clientId, will, token, signal, ca, dialTimeoutMs } = options;
  const timeout = new AbortController();
  const timer = setTimeout(
    () => timeout.abort(new ConnectionLost(`no answer within ${dialTimeoutMs} ms`)),
    dialTimeoutMs,
  );
  try {
    const both = AbortSignal.any([signal, timeout.signal]);
    return await dialUrl(url, { clientId, will, token, signal: both, ca });
  } catch (error) {
    // A wire may name the abort in its own way.
    if (timeout.signal.aborted && !signal.aborted) throw timeout.signal.reason;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
