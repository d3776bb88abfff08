/** Asks a running server over HTTP; what comes instead of an answer becomes a sentence. */

import { Failure } from "./exit.ts";
import { untrusted } from "./untrusted.ts";

const ANSWER_TIMEOUT_MS = 10_000;
/** Deno's words for a connection that stood, to what understands no HTTP or no TLS. */
const SPEAKS_ELSE = /client error \(SendRequest\)|received corrupt message/;

export interface Page {
  /** The page's own URL, with a slash at its end. */
  readonly url: URL;
  /** PEM of an authority to trust beside public ones. */
  readonly ca: string | undefined;
  readonly stop: AbortSignal;
}

export interface Answer {
  /** What was asked. */
  readonly url: URL;
  /** HTTP's, e.g. 503. */
  readonly code: number;
  readonly text: string;
}

/**
 * What the server says under `topic`.
 * @throws {Failure} where nobody answers, or somebody who does not prove to be the server.
 */
export async function answerOf(topic: string, { url, ca, stop }: Page): Promise<Answer> {
  const asked = new URL(topic, url);
  using client = ca === undefined ? undefined : Deno.createHttpClient({ caCerts: [ca] });
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  try {
    const response = await fetch(asked, client === undefined ? { signal } : { signal, client });
    return { url: asked, code: response.status, text: (await response.text()).trim() };
  } catch (error) {
    if (stop.aborted) throw new Failure("Stopped before the server answered");
    const text = error instanceof Error ? `${error.message} ${error.cause ?? ""}` : String(error);
    const advice = untrusted(text);
    if (advice !== undefined) {
      throw new Failure(`${asked} does not prove to be that server: ${advice}`, { cause: error });
    }
    if (SPEAKS_ELSE.test(text)) {
      const other = asked.protocol === "http:" ? "https" : "http";
      throw new Failure(
        `What answers at ${asked} does not speak ${asked.protocol.slice(0, -1).toUpperCase()}; ` +
          `try ${other}://, or give the URL that the server prints`,
        { cause: error },
      );
    }
    throw new Failure(
      `No server answers at ${asked}; start one with \`tributary serve\`, or give the URL it prints`,
      { cause: error },
    );
  }
}
