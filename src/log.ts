/** Log lines on stderr, for people or for programs. Written with LogTape; nothing else logs. */

import { configureSync, getLogger, type LogRecord, resetSync } from "@logtape/logtape";
import { printableJson } from "./printable.ts";

export type Level = "debug" | "info" | "warning" | "error";

/** What a line says beside its constant message. An undefined value is left out. */
export type Fields = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** Where events write their lines. */
export interface Log {
  write(level: Level, message: string, fields: Fields): void;
}

export interface LogOptions {
  /** The least important level that is written. */
  readonly level: Level;
  readonly format: "text" | "json";
  readonly output: { write(text: string): void; readonly colours: boolean };
}

/**
 * Sets up LogTape for this process, until disposal. One log at a time: LogTape's configuration is
 * the process's.
 */
export function openLog({ level, format, output }: LogOptions): Log & Disposable {
  const line = format === "json" ? jsonLine : (record: LogRecord) => textLine(record, output);
  configureSync({
    reset: true,
    sinks: { output: (record) => output.write(line(record) + "\n") },
    loggers: [
      { category: "tributary", sinks: ["output"], lowestLevel: level },
      { category: ["logtape", "meta"], sinks: ["output"], lowestLevel: "error" },
    ],
  });
  const logger = getLogger("tributary");
  return {
    write: (level, message, fields) => logger[level](message, clipped(fields)),
    [Symbol.dispose]: resetSync,
  };
}

/** Peers choose some of the texts, which may be as long as a message: half a megabyte. */
const MOST_CHARACTERS = 2000;

function clipped(fields: Fields): Record<string, unknown> {
  const clip = (text: string) =>
    text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
  return Object.fromEntries(
    Object.entries(fields).map((
      [name, value],
    ) => [clip(name), typeof value === "string" ? clip(value) : value]),
  );
}

/** `{"time":"2026-01-31T12:00:00.000Z","level":"info","message":"round closed","round":3}` */
function jsonLine(record: LogRecord): string {
  const head = { time: timeOf(record), level: record.level, message: messageOf(record) };
  return printableJson({ ...head, ...record.properties, ...head }); // a peer's metric may be called time
}

const COLOURS: Readonly<Record<string, number>> = { debug: 90, info: 36, warning: 33, error: 31 };

/** `2026-01-31T12:00:00.000Z info    round closed  round=3 clients=5` */
function textLine(record: LogRecord, { colours }: { colours: boolean }): string {
  const paint = (code: number, text: string) => colours ? `\x1b[${code}m${text}\x1b[0m` : text;
  const fields = Object.entries(record.properties).filter(([, value]) => value !== undefined).map((
    [name, value],
  ) => `${paint(90, `${shown(name)}=`)}${shown(value)}`);
  const level = paint(COLOURS[record.level] ?? 31, record.level.padEnd(7));
  const head = `${paint(90, timeOf(record))} ${level} ${messageOf(record)}`;
  return fields.length === 0 ? head : `${head}  ${fields.join(" ")}`;
}

/** The message as it was written: LogTape would fill in what stands in braces. */
function messageOf({ rawMessage }: LogRecord): string {
  return typeof rawMessage === "string" ? rawMessage : rawMessage.join("");
}

function timeOf(record: LogRecord): string {
  return new Date(record.timestamp).toISOString();
}

/** Peers choose some of the texts, and of the names: what is not plain is quoted, so that no line can be forged. */
function shown(value: unknown): string {
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  const text = Array.isArray(value) ? value.join(",") : String(value);
  return /^[\w.:/@+%?=&,;#~-]+$/.test(text) ? text : printableJson(text);
}
