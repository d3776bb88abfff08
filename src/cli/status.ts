/** `tributary status`: asks a running server how far it is. */

import type { Command } from "commander";
import { printable } from "../printable.ts";
import { type Status, status as statusSchema } from "../web/status.ts";
import { makeCommand, parse } from "./command.ts";
import { exit, type ExitCode, Failure, OperatorError } from "./exit.ts";
import { type Format, formatOption, jsonDocument } from "./format.ts";
import type { Io, Output } from "./io.ts";
import { type Look, paint } from "./paint.ts";
import { bytesText, durationText } from "./quantities.ts";
import { type Answer, answerOf, type Page } from "./server_page.ts";
import { table } from "./table.ts";
import { CA_OPTION, readCa } from "./trust.ts";

const DEFAULT_URL = "http://127.0.0.1:8080/";
const OK = 200; // RFC 9110 §15.3.1

export function command(io: Io): Command {
  return makeCommand({
    name: "tributary status",
    description: "Asks a running server how far it is.",
    examples: [
      ["tributary status", "the server on this machine, at its default port"],
      ["tributary status http://127.0.0.1:9000 --format json", "another port, for a program"],
      ["tributary status --ready", "exit code 0 if clients are served, else 1 and why"],
    ],
  }, io)
    .argument("[url]", `the server's status page (default: ${DEFAULT_URL})`, DEFAULT_URL)
    .option(...CA_OPTION)
    .option("--ready", "ask only whether clients are served; writes nothing if they are")
    .addOption(formatOption("a table for people, or the server's JSON"));
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const { format, ca, ready } = asked.opts<{ format: Format; ca?: string; ready?: boolean }>();
  const url = urlOf(asked.args[0] ?? DEFAULT_URL);
  const page: Page = { url, ca: await readCa(ca, io), stop: io.signal };
  if (ready) {
    await askWhetherReady(page);
    return exit.ok;
  }
  const status = await ask(page);
  io.stdout.write(format === "json" ? jsonDocument(status) : view(status, io.stdout));
  return exit.ok;
}

function urlOf(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new OperatorError(
      `${JSON.stringify(text)} is no address of a status page; write e.g. ${DEFAULT_URL}`,
    );
  }
  // Whoever has looked at /status, or has no slash at the end, means the same page.
  url.pathname = url.pathname.replace(/\/(status\/?)?$/, "") + "/";
  return url;
}

async function ask(page: Page): Promise<Status> {
  const answer = await answerOf("status", page);
  if (answer.code !== OK) throw new Failure(refusal(answer));
  const parsed = statusSchema.safeParse(json(answer.text));
  if (!parsed.success) {
    throw new Failure(`${answer.url} answers, but is no Tributary server of this version`);
  }
  return parsed.data;
}

/** @throws {Failure} with why clients cannot be served. */
async function askWhetherReady(page: Page): Promise<void> {
  const answer = await answerOf("readyz", page);
  if (answer.code !== OK) throw new Failure(refusal(answer));
}

function refusal({ url, code, text }: Answer): string {
  return `${url} answers ${code}: ${printable(text.slice(0, 200))}`;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const LOOKS: Readonly<Record<string, Look>> = { up: "good", down: "bad", restarting: "warn" };

/** The status for people. */
export function view(status: Status, output: Output): string {
  const { name, run_id, phase, round, rounds, waiting_for } = status;
  const parts = [
    `${paint(output, "strong", printable(name))}  ${phase}, ${round} of ${rounds} rounds closed` +
    `  ${paint(output, "faint", `run ${printable(run_id)}`)}\n` +
    (waiting_for === undefined ? "" : `waiting for: ${printable(waiting_for)}\n`),
    table(status.wires, [
      { title: "wire", text: ({ wire }) => wire },
      { title: "state", text: ({ state }) => state, look: ({ state }) => LOOKS[state] ?? "faint" },
      { title: "connections", text: (wire) => String(wire.connections), align: "right" },
      { title: "up", text: (wire) => bytesText(wire.up_bytes), align: "right" },
      { title: "down", text: (wire) => bytesText(wire.down_bytes), align: "right" },
      { title: "address", text: ({ url, reason }) => reason ?? url },
    ], output),
    table(status.clients, [
      { title: "client", text: ({ id }) => id },
      { title: "state", text: ({ state }) => state },
      { title: "samples", text: ({ samples }) => String(samples), align: "right" },
      {
        title: "last seen",
        text: (client) => `${durationText(client.last_seen_ms_ago)} ago`,
        align: "right",
      },
      { title: "wires", text: ({ wires }) => wires.join(", ") },
    ], output) || "No client is here.\n",
    table(status.history, [
      { title: "round", text: ({ round }) => String(round), align: "right" },
      { title: "clients", text: ({ clients }) => String(clients), align: "right" },
      { title: "samples", text: ({ samples }) => String(samples), align: "right" },
      { title: "loss", text: ({ loss }) => loss?.toFixed(4) ?? "-", align: "right" },
      { title: "accuracy", text: ({ accuracy }) => accuracy?.toFixed(4) ?? "-", align: "right" },
      { title: "seconds", text: ({ seconds }) => seconds.toFixed(1), align: "right" },
      { title: "model", text: (round) => round.model_sha256.slice(0, 12) || "-" },
    ], output) || "No round has closed.\n",
  ];
  return parts.filter((part) => part !== "").join("\n");
}
