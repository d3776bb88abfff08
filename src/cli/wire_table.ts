/** Why a client takes the wire it takes: a line for each choice, and what was seen of each wire. */

import type { SessionEvent, WireFigures } from "../client/session_event.ts";
import type { Log } from "../log.ts";
import { printable } from "../printable.ts";
import type { Output } from "./io.ts";
import { bytesText } from "./quantities.ts";
import { type Column, table } from "./table.ts";

export interface ExplainOptions {
  /** Shows every choice with its figures, not only the moves. */
  readonly explain?: boolean;
  readonly logFormat: string;
  readonly log: Log;
  readonly output: Output;
}

export function explain(
  { choice, url, reason, wires }: Extract<SessionEvent, { kind: "wireChosen" }>,
  { explain = false, logFormat, log, output }: ExplainOptions,
): void {
  if (choice === "stay" && !explain) return;
  const fields = { choice: WORDS[choice], url: addressText(url), reason };
  if (!explain) return log.write("info", "wire chosen", fields);
  if (logFormat === "json") {
    log.write("info", "wire chosen", fields);
    for (const wire of wires) log.write("info", "wire seen", figures(wire));
    return;
  }
  output.write(`wire: ${fields.choice} ${fields.url}: ${printable(reason)}\n`);
  output.write(table(wires, columnsOf(url), output));
}

const WORDS = {
  stay: "stay on",
  move: "move to",
  try: "try",
  keep: "keep",
  return: "return to",
  fallBack: "fall back to",
} as const;

function columnsOf(chosen: string): Column<WireFigures>[] {
  return [
    { title: "", text: ({ url }) => url === chosen ? ">" : "" },
    { title: "wire", text: ({ url }) => addressText(url) },
    { title: "standing", text: ({ standing }) => standing },
    { title: "connect", text: (wire) => seconds(wire.connectSeconds), align: "right" },
    { title: "down", text: (wire) => rate(wire.downBytesPerSecond), align: "right" },
    { title: "up", text: (wire) => rate(wire.upBytesPerSecond), align: "right" },
    { title: "failures", text: ({ failures }) => failures.toFixed(1), align: "right" },
    { title: "a round", text: (wire) => seconds(wire.costSeconds), align: "right" },
    { title: "rounds ago", text: ({ unusedRounds }) => `${unusedRounds}`, align: "right" },
  ];
}

function figures(wire: WireFigures) {
  const { standing, failures, unusedRounds } = wire;
  return {
    url: addressText(wire.url),
    standing,
    connect_s: wire.connectSeconds,
    down_bytes_per_s: wire.downBytesPerSecond,
    up_bytes_per_s: wire.upBytesPerSecond,
    failures,
    cost_s: wire.costSeconds,
    unused_rounds: unusedRounds,
  };
}

function seconds(value: number | undefined): string {
  return value === undefined ? "-" : `${value.toFixed(3)} s`;
}

function rate(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? "-" : `${bytesText(Math.round(bytesPerSecond))}/s`;
}

/** What tells two addresses of a server apart; certificates in them are long, passwords secret. */
export function addressText(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
