/** What the bench measures, and what follows from it. */

/** Bytes that took a time. */
export interface Flow {
  readonly bytes: number;
  readonly seconds: number;
}

/** A model's way down and up one wire in one round, by the client's own clock. */
export interface Passage {
  readonly round: number;
  /** From the first part to the last; the first one's bytes had come when the clock started. */
  readonly down: Flow;
  /** From the first part sent to the final verdict, so the server's check and fold are in it. */
  readonly up: Flow;
}

/** One wire's part of a measured round. */
export interface WireFigures extends Passage {
  readonly wire: string;
  /** What the protocol server counted at its sockets, acknowledgements and all. */
  readonly wireBytes: { readonly down: number; readonly up: number };
}

/** A measured round: one model down and one update up on each of its wires. */
export interface RoundFigures {
  readonly wires: readonly WireFigures[];
  readonly seconds: number;
  /** Of the server's process, all its Workers included. */
  readonly serverCpuSeconds: number;
  /** From the last update's verdict to the next model's offer on every wire. */
  readonly closeMs: number;
  /** The longest time in which the server's main thread did not get to its next event. */
  readonly longestBlockMs: number;
}

/** MB/s, of 10^6 bytes; undefined where the time was too short to be seen. */
export function rate({ bytes, seconds }: Flow): number | undefined {
  return seconds > 0 && bytes > 0 ? bytes / seconds / 1e6 : undefined;
}

/** Bytes on the wire for each byte of weights. */
export function overhead(wireBytes: number, weightBytes: number): number {
  return wireBytes / weightBytes;
}

/** A sentence for each wire that counted fewer bytes than the weights have: it cannot be right. */
export function implausible(
  { wires }: RoundFigures,
  weightBytes: number,
): string[] {
  return wires.flatMap(({ wire, wireBytes }) =>
    (["down", "up"] as const).filter((way) => wireBytes[way] < weightBytes).map((way) =>
      `${wire} counted ${wireBytes[way]} bytes ${way}, fewer than the ${weightBytes} of the weights`
    )
  );
}
