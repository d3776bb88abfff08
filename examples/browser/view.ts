/// <reference lib="dom" />
/** Puts what is known on the page. Text is only ever set as textContent: clients choose some of it. */

import type { Round } from "./rounds.ts";

/** The element of an id, which the page has. */
export function at<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`The page has no ${kind.name} ${id}`);
}

/** Texts by the ids of their elements. */
export function show(texts: Readonly<Record<string, string>>): void {
  for (const [id, text] of Object.entries(texts)) at(id, HTMLElement).textContent = text;
}

export function summarise(text: string, look: "good" | "bad" | "" = ""): void {
  show({ summary: text });
  at("summary", HTMLElement).className = look;
}

export function showRounds(rounds: readonly Round[]): void {
  at("rounds", HTMLElement).replaceChildren(...rounds.map(row));
}

function row({ round, update, refused, own, everybody, clients }: Round): HTMLElement {
  const row = document.createElement("tr");
  const texts = [
    String(round),
    update,
    fixed(own.loss),
    percent(own.accuracy),
    clients === undefined ? "" : String(clients),
    fixed(everybody.loss),
    percent(everybody.accuracy),
  ];
  row.append(...texts.map((text, column) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (column === 1 && refused) cell.className = "bad";
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
