/** What a client knows of one wire, and what a round over it costs. What is old counts little. */

/** A mean of figures whose weight halves with each round that has passed since. */
export interface Fading {
  readonly sum: number;
  readonly weight: number;
  /** Round of the newest figure, as the client counts them. */
  readonly turn: number;
}

/**
 * How the wire did last: `lost` is a connection that ended by itself, `unreachable` a call that
 * nobody answered.
 */
export type Standing = "untried" | "well" | "lost" | "unreachable";

export interface WireRecord {
  readonly standing: Standing;
  /** Seconds to connect. */
  readonly connect: Fading | undefined;
  /** Seconds a byte. */
  readonly down: Fading | undefined;
  readonly up: Fading | undefined;
  /** As they counted in round `turn`. */
  readonly failures: { readonly sum: number; readonly turn: number };
  /** The newest round in which it was used or called. */
  readonly usedTurn: number;
  /** Rounds for which it is left alone. */
  readonly restTurns: number;
}

export type Observation =
  | { readonly kind: "connected"; readonly seconds: number }
  | { readonly kind: "down" | "up"; readonly bytes: number; readonly seconds: number }
  | { readonly kind: "lost" | "unreachable" };

/** What is left of a figure's weight after one round. */
const KEPT = 0.5;
/** What a failure costs: to notice it, to call again, to say Hello. */
export const FAILURE_SECONDS = 10;
/** No more count at once: a server that is away for long is not its wires' fault. */
const MOST_FAILURES = 3;
/** Shorter and longer than any transfer: these keep every cost and every rate finite. */
const LEAST_SECONDS = 1e-6;
const MOST_SECONDS = 1e6;
export const FIRST_REST = 2;
export const LONGEST_REST = 32;

export const UNTRIED: WireRecord = {
  standing: "untried",
  connect: undefined,
  down: undefined,
  up: undefined,
  failures: { sum: 0, turn: 0 },
  usedTurn: 0,
  restTurns: FIRST_REST,
};

/** Takes in what was seen of a wire in round `turn`. */
export function learn(record: WireRecord, seen: Observation, turn: number): WireRecord {
  const used = { ...record, usedTurn: turn };
  switch (seen.kind) {
    case "connected":
      return { ...used, standing: "well", connect: add(record.connect, clamp(seen.seconds), turn) };
    case "down":
    case "up": {
      const secondsPerByte = clamp(seen.seconds) / Math.max(1, seen.bytes);
      return { ...used, [seen.kind]: add(record[seen.kind], secondsPerByte, turn) };
    }
    case "lost":
    case "unreachable": {
      const sum = Math.min(failuresOf(record, turn) + 1, MOST_FAILURES);
      return { ...used, standing: seen.kind, failures: { sum, turn } };
    }
    default:
      return seen satisfies never;
  }
}

/** Was found no better than the wire in use: it is left alone for twice as long. */
export function rested(record: WireRecord, turn: number): WireRecord {
  return { ...record, usedTurn: turn, restTurns: Math.min(LONGEST_REST, 2 * record.restTurns) };
}

/**
 * Seconds that connecting and moving a model of `bytes` down and up would take, with a penalty for
 * failures; undefined while neither direction was ever seen.
 */
export function costOf(record: WireRecord, bytes: number, turn: number): number | undefined {
  const { connect, down, up } = record;
  const eitherWay = meanOf(down) ?? meanOf(up);
  if (eitherWay === undefined) return undefined;
  const transfer = (meanOf(down) ?? eitherWay) + (meanOf(up) ?? eitherWay);
  const penalty = FAILURE_SECONDS * failuresOf(record, turn);
  return (meanOf(connect) ?? 0) + bytes * transfer + penalty;
}

/** Failures, each of which counts half as much with each round since. */
export function failuresOf({ failures }: WireRecord, turn: number): number {
  return failures.sum * KEPT ** (turn - failures.turn);
}

export function meanOf(fading: Fading | undefined): number | undefined {
  return fading === undefined ? undefined : fading.sum / fading.weight;
}

function add(to: Fading | undefined, figure: number, turn: number): Fading {
  if (to === undefined) return { sum: figure, weight: 1, turn };
  const kept = KEPT ** (turn - to.turn);
  return { sum: to.sum * kept + figure, weight: to.weight * kept + 1, turn };
}

/** What is not a number of seconds counts as the longest time. */
function clamp(seconds: number): number {
  return Number.isNaN(seconds)
    ? MOST_SECONDS
    : Math.min(Math.max(seconds, LEAST_SECONDS), MOST_SECONDS);
}
