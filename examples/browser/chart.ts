/// <reference lib="dom" />
/** Accuracy by round, as two lines. */

import type { Round } from "./rounds.ts";
import { at, show } from "./view.ts";

/** Wide enough for a line, and few enough to draw at once. */
const MOST_ROUNDS = 200;

/** @param rounds The newest first. */
export function drawChart(rounds: readonly Round[]): void {
  const shown = rounds.slice(0, MOST_ROUNDS).reverse();
  const lines = {
    "federation-line": shown.map(({ everybody }) => everybody.accuracy),
    "tab-line": shown.map(({ own }) => own.accuracy),
  };
  const known = Object.values(lines).flat().filter((value) => value !== undefined);
  at("chart", HTMLElement).hidden = shown.length < 2 || known.length < 2;
  const least = Math.floor(10 * Math.min(...known, 0.9)) / 10;
  show({ least: `${Math.round(100 * least)} %` });
  for (const [id, values] of Object.entries(lines)) {
    at(id, SVGPolylineElement).setAttribute("points", points(values, least));
  }
}

/** In a square of 100, whose lower edge is `least` and whose upper edge is 1. */
export function points(values: readonly (number | undefined)[], least: number): string {
  const step = 100 / Math.max(values.length - 1, 1);
  return values.flatMap((value, index) =>
    value === undefined
      ? []
      : [`${(index * step).toFixed(2)},${(100 * (1 - value) / (1 - least)).toFixed(2)}`]
  ).join(" ");
}
