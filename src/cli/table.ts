/** Aligned tables. */

import { printable } from "../printable.ts";
import { type Look, paint } from "./paint.ts";

export interface Column<Entry> {
  readonly title: string;
  text(entry: Entry): string;
  /** Numbers stand on the right. */
  readonly align?: "right";
  look?(entry: Entry): Look;
}

/** A heading and a line for each entry, columns two spaces apart; empty for no entries. */
export function table<Entry>(
  entries: readonly Entry[],
  columns: readonly Column<Entry>[],
  output: { readonly colours: boolean },
): string {
  if (entries.length === 0) return "";
  const texts = entries.map((entry) => columns.map((column) => printable(column.text(entry))));
  const widths = columns.map((column, index) =>
    Math.max(width(column.title), ...texts.map((row) => width(row[index] ?? "")))
  );
  const line = (row: readonly string[], look: (index: number) => Look | undefined) =>
    row.map((text, index) => {
      const room = " ".repeat((widths[index] ?? 0) - width(text));
      const chosen = look(index);
      const painted = chosen === undefined ? text : paint(output, chosen, text);
      return columns[index]?.align === "right" ? room + painted : painted + room;
    }).join("  ").trimEnd();
  const head = line(columns.map((column) => column.title.toUpperCase()), () => "faint");
  const body = entries.map((entry, index) =>
    line(texts[index] ?? [], (column) => columns[column]?.look?.(entry))
  );
  return [head, ...body].join("\n") + "\n";
}

function width(text: string): number {
  return [...text].length;
}
