/** What a Hello must be, whoever says it. */

import { type Hello, Verdict } from "../contract/federation_pb.ts";
import { type Judgement, refuse } from "./judgement.ts";

export interface GreetingLimits {
  readonly maxSamples: number;
  /** Of labels, names and values, with software and the wire wanted: kept for each client. */
  readonly maxLabelBytes: number;
}

const CONTRACT_VERSION = 1;
const NONCE_BYTES = 16;
const SAVED_SOON_MS = 500;

/** Why a Hello is refused, if it is. */
export function refuseHello(hello: Hello, limits: GreetingLimits): Judgement | undefined {
  if (hello.contractVersion !== CONTRACT_VERSION) {
    return refuse(
      Verdict.UNSUPPORTED,
      `contract version ${hello.contractVersion} is not spoken here, only ${CONTRACT_VERSION}`,
    );
  }
  if (hello.nonce.length !== NONCE_BYTES) {
    return refuse(Verdict.MALFORMED, `nonce must have ${NONCE_BYTES} bytes`);
  }
  if (hello.samples === 0) return refuse(Verdict.MALFORMED, "samples must be at least 1");
  if (hello.samples > limits.maxSamples) {
    return refuse(Verdict.OUT_OF_RANGE, `samples exceeds the limit of ${limits.maxSamples}`);
  }
  const texts = [hello.software, hello.downlink, ...Object.entries(hello.labels).flat()];
  const bytes = texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  if (bytes > limits.maxLabelBytes) {
    return refuse(
      Verdict.MALFORMED,
      `labels and software have ${bytes} bytes; ${limits.maxLabelBytes} is the most`,
    );
  }
  return undefined;
}

/** What is known of the models that were made. */
interface Made {
  readonly state: { readonly closedRounds: number };
  /** The run goes on in a round that an earlier process may have closed already, otherwise. */
  readonly isResumed: boolean;
  /** Undefined where it is not known yet, or any more. */
  sha256(round: number): string | undefined;
}

/**
 * Why a session is over whose client holds a model that is not this run's any more: its round had been
 * closed, and after a power cut it was opened again. The client must forget it to get another.
 */
export function refuseHeld({ session, held }: Hello, made: Made): Judgement | undefined {
  if (session.length === 0 || held === undefined) return undefined;
  const { modelRound: round, sha256 } = held;
  if (round === 0) return undefined; // what a run began with stays what it is
  const known = made.sha256(round);
  const isOther = known !== undefined && sha256.length > 0 && sha256.toHex() !== known;
  if (known === undefined && sha256.length > 0 && round === made.state.closedRounds) {
    if (!made.isResumed) return undefined;
    const detail = `model ${round} is being saved; it is not known yet whether this is it`;
    return { ...refuse(Verdict.BUSY, detail), retryAfterMs: SAVED_SOON_MS };
  }
  if (!isOther && round <= made.state.closedRounds) return undefined;
  return refuse(
    Verdict.NO_SESSION,
    `model ${round} was given up; forget it and say Hello without the session`,
  );
}
