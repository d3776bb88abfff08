/// <reference lib="dom" />
/** Puts what is known on the page. Text is only ever set as textContent: clients choose some of it. */

import type { Round } from "./rounds.ts";

/** What the client does, as the page calls it. */
const PHASES = {
  new: "Ready",
  joining: "Connecting",
  waiting: "Waiting",
  training: "Training",
  sending: "Sending",
  finished: "Finished",
  left: "Left",
  lost: "Connection lost",
  failed: "Stopped",
} as const;

export type Phase = keyof typeof PHASES;

/** More rounds are known, but nobody reads them. */
const MOST_ROWS = 50;

/** The element of an id, which the page has. */
export function at<Kind extends Element>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`The page has no ${kind.name} ${id}`);
}

/** Texts by the ids of their elements. */
export function show(texts: Readonly<Record<string, string>>): void {
  for (const [id, text] of Object.entries(texts)) at(id, HTMLElement).textContent = text;
}

/** Parts of the page are there in some phases only, see page.css. */
export function enter(phase: Phase, summary: string): void {
  at("state", HTMLElement).dataset.state = phase;
  show({ phase: PHASES[phase], summary });
}

/** @param part Of this round's training, from 0 to 1. */
export function showProgress(part: number): void {
  at("progress", HTMLProgressElement).value = part;
}

export function showSamples(samples: number, classCounts: readonly number[]): void {
  show({ samples: samples.toLocaleString("en") });
  const classes = at("classes", HTMLElement);
  const most = Math.max(...classCounts, 1);
  classes.replaceChildren(...classCounts.map((count) => {
    const bar = document.createElement("i");
    bar.style.height = `${100 * count / most}%`;
    return bar;
  }));
  classes.title = `Of each class: ${classCounts.join(", ")}`;
  classes.ariaLabel = classes.title;
}

/** @param rounds The newest first. */
export function showRounds(rounds: readonly Round[]): void {
  const newest = (value: (round: Round) => number | undefined) =>
    rounds.map(value).find((known) => known !== undefined);
  show({
    accuracy: percent(newest(({ everybody }) => everybody.accuracy)) || "–",
    own: percent(newest(({ own }) => own.accuracy)) || "–",
    clients: String(newest(({ clients }) => clients) ?? "–"),
  });
  at("rounds", HTMLElement).replaceChildren(...rounds.slice(0, MOST_ROWS).map(row));
}

function row({ round, update, refused, own, everybody, clients }: Round): HTMLElement {
  const row = document.createElement("tr");
  const cells: readonly (readonly [text: string, look?: string])[] = [
    [String(round)],
    [update, refused ? "bad" : ""],
    [fixed(own.loss), "loss"],
    [percent(own.accuracy)],
    [clients === undefined ? "" : String(clients)],
    [fixed(everybody.loss), "loss"],
    [percent(everybody.accuracy)],
  ];
  row.append(...cells.map(([text, look = ""]) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    cell.className = look;
    return cell;
  }));
  return row;
}

function fixed(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(3);
}

function percent(value: number | undefined): string {
  return value === undefined ? "" : `${(100 * value).toFixed(1)} %`;
}
