/**
 * Which wire a client takes: epsilon-greedy over what a round costs on each, with hysteresis. Pure:
 * (state, what was seen, random number) -> (state, decision). Wires go by their place in the list of
 * addresses, rounds are the client's own.
 */

import {
  costOf,
  FIRST_REST,
  learn,
  type Observation,
  rested,
  UNTRIED,
  type WireRecord,
} from "./wire_records.ts";

/** A wire is moved to when it is so many times cheaper, */
export const FACTOR = 1.5;
/** and saves as many seconds a round. */
export const MARGIN_SECONDS = 0.1;
/** How often a client tries a wire that has rested, if it is not overdue. */
export const EPSILON = 0.1;
/** A wire is overdue when it was left alone for so many times its rest. */
export const OVERDUE_RESTS = 2;

export interface Choice {
  /** Rounds decided on so far. */
  readonly turn: number;
  /** The wire to go back to after a trial. */
  readonly home: number;
  /** The wire in use: another one than `home` for the round of a trial. */
  readonly current: number;
  readonly records: readonly WireRecord[];
}

/** `keep`: stay on the wire that was tried; `return`: go back from it. */
export type DecisionKind = "stay" | "move" | "try" | "keep" | "return";

export interface Decision {
  readonly kind: DecisionKind;
  readonly to: number;
  readonly reason: string;
}

export interface Decided {
  readonly state: Choice;
  readonly decision: Decision;
}

/** Nothing is known: the first of `count` wires is preferred. */
export function newChoice(count: number): Choice {
  return { turn: 0, home: 0, current: 0, records: new Array(count).fill(UNTRIED) };
}

export function observe(state: Choice, wire: number, seen: Observation): Choice {
  return withRecord(state, wire, (record) => learn(record, seen, state.turn));
}

/** Nobody answered when `wire` was called to be moved to: the one in use is at home now. */
export function notReached(state: Choice, wire: number): Choice {
  const next = withRecord(state, wire, (record) => {
    return rested(learn(record, { kind: "unreachable" }, state.turn), state.turn);
  });
  return settledOn(next, state.current);
}

/** A connection by `wire` stands: for a trial, or to stay. */
export function connected(
  state: Choice,
  wire: number,
  { seconds, trial }: { seconds: number; trial: boolean },
): Choice {
  const next = observe(state, wire, { kind: "connected", seconds });
  return trial ? { ...next, current: wire } : settledOn(next, wire);
}

/**
 * What to do between two rounds.
 * @param options.bytes Of the model. @param options.random In [0, 1).
 */
export function decide(
  state: Choice,
  { bytes, random }: { bytes: number; random: number },
): Decided {
  const turn = state.turn + 1;
  const next = withRecord({ ...state, turn }, state.current, (record) => {
    return { ...record, usedTurn: turn };
  });
  if (next.current !== next.home) return trialOver(next, bytes);
  const decision = retrial(next, OVERDUE_RESTS) ?? move(next, bytes) ??
    (random < EPSILON ? retrial(next, 1) : undefined) ?? stay(next, bytes);
  return { state: next, decision };
}

/** A trial that takes too long is over before its round is. */
export function breakOff(state: Choice): Decided {
  const { current, home, turn } = state;
  const decision: Decision = { kind: "return", to: home, reason: "the trial takes too long" };
  return { state: withRecord(state, current, (record) => rested(record, turn)), decision };
}

/** The connection in use has failed. A trial over which it failed showed nothing better. */
export function lose(state: Choice): Choice {
  const { current, home, turn } = state;
  const next = observe(state, current, { kind: "lost" });
  return current === home ? next : withRecord(next, current, (record) => rested(record, turn));
}

/** The order in which wires are called when there is no connection. */
export function callOrder(state: Choice, bytes: number): number[] {
  const rank = ({ standing }: WireRecord) =>
    standing === "unreachable" ? 2 : standing === "lost" ? 1 : 0;
  const cost = (wire: number, record: WireRecord) =>
    wire === state.home && rank(record) === 0
      ? -1
      : costOf(record, bytes, state.turn) ?? Number.MAX_VALUE;
  return state.records
    .map((record, wire) => ({ wire, rank: rank(record), cost: cost(wire, record) }))
    .sort((left, right) => left.rank - right.rank || left.cost - right.cost)
    .map(({ wire }) => wire);
}

function trialOver(state: Choice, bytes: number): Decided {
  const { current, home, turn } = state;
  const [tried, before] = [costAt(state, current, bytes), costAt(state, home, bytes)];
  if (state.records[home]?.standing === "unreachable") {
    const reason = "the wire before does not answer";
    return { state: settledOn(state, current), decision: { kind: "keep", to: current, reason } };
  }
  const reason = `a round costs ${shown(tried)} here, ${shown(before)} on the wire before`;
  if (isBetter(tried, before)) {
    return { state: settledOn(state, current), decision: { kind: "keep", to: current, reason } };
  }
  return {
    state: withRecord(state, current, (record) => rested(record, turn)),
    decision: { kind: "return", to: home, reason },
  };
}

function move(state: Choice, bytes: number): Decision | undefined {
  const here = costAt(state, state.current, bytes);
  const others = othersIn(state).filter(({ record }) => record.standing !== "unreachable")
    .map(({ wire }) => ({ wire, cost: costAt(state, wire, bytes) }))
    .filter(({ cost }) => isBetter(cost, here));
  const [best] = others.sort((left, right) => (left.cost ?? 0) - (right.cost ?? 0));
  if (best === undefined) return undefined;
  const reason = `a round costs ${shown(best.cost)} there, ${shown(here)} here`;
  return { kind: "move", to: best.wire, reason };
}

/** The wire not used for longest, of those left alone for `rests` of their rests. */
function retrial(state: Choice, rests: number): Decision | undefined {
  const { turn } = state;
  const [oldest] = othersIn(state)
    .filter(({ record }) => turn - record.usedTurn >= rests * record.restTurns)
    .sort((left, right) => left.record.usedTurn - right.record.usedTurn);
  if (oldest === undefined) return undefined;
  const { wire, record } = oldest;
  const reason = record.standing === "untried"
    ? "it was never tried"
    : `it was not tried for ${turn - record.usedTurn} rounds`;
  return { kind: "try", to: wire, reason };
}

function stay(state: Choice, bytes: number): Decision {
  const known = othersIn(state).some(({ wire }) => costAt(state, wire, bytes) !== undefined);
  const reason = known
    ? `no wire is ${FACTOR} times cheaper`
    : "what the others cost is not known yet";
  return { kind: "stay", to: state.current, reason };
}

function othersIn({ records, current }: Choice): { wire: number; record: WireRecord }[] {
  return records.map((record, wire) => ({ wire, record })).filter(({ wire }) => wire !== current);
}

function costAt({ records, turn }: Choice, wire: number, bytes: number): number | undefined {
  const record = records[wire];
  return record === undefined ? undefined : costOf(record, bytes, turn);
}

function isBetter(cost: number | undefined, than: number | undefined): boolean {
  if (cost === undefined) return false;
  return than === undefined || (cost * FACTOR <= than && cost + MARGIN_SECONDS <= than);
}

function settledOn(state: Choice, wire: number): Choice {
  const next = withRecord(state, wire, (record) => ({ ...record, restTurns: FIRST_REST }));
  return { ...next, home: wire, current: wire };
}

function withRecord(
  state: Choice,
  wire: number,
  change: (record: WireRecord) => WireRecord,
): Choice {
  const records = state.records.map((record, index) => index === wire ? change(record) : record);
  return { ...state, records };
}

function shown(seconds: number | undefined): string {
  return seconds === undefined ? "an unknown time" : `${Number(seconds.toPrecision(3))} s`;
}
