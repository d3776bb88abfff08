/** `tributary status`: asks a running server how far it is. */

import type { Command } from "commander";
import { type Status, status as statusSchema } from "../web/status.ts";
import { makeCommand, parse } from "./command.ts";
import { exit, type ExitCode, Failure, OperatorError } from "./exit.ts";
import { type Format, formatOption } from "./format.ts";
import type { Io, Output } from "./io.ts";
import { type Look, paint } from "./paint.ts";
import { bytesText, durationText } from "./quantities.ts";
import { printable, table } from "./table.ts";
import { CA_OPTION, readCa } from "./trust.ts";

const DEFAULT_URL = "http://127.0.0.1:8080/";
const ANSWER_TIMEOUT_MS = 10_000;

export function command(io: Io): Command {
  return makeCommand({
    name: "tributary status",
    description: "Asks a running server how far it is.",
    examples: [
      ["tributary status", "the server on this machine, at its default port"],
      ["tributary status http://127.0.0.1:9000 --format json", "another port, for a program"],
    ],
  }, io)
    .argument("[url]", "the server's status page", DEFAULT_URL)
    .option(...CA_OPTION)
    .addOption(formatOption("a table for people, or the server's JSON"));
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const { format, ca } = asked.opts<{ format: Format; ca?: string }>();
  const url = urlOf(asked.args[0] ?? DEFAULT_URL);
  const status = await askTrusting(url, await readCa(ca, io), io.signal);
  io.stdout.write(format === "json" ? JSON.stringify(status) + "\n" : view(status, io.stdout));
  return exit.ok;
}

function urlOf(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new OperatorError(
      `${JSON.stringify(text)} is no address of a status page; write e.g. ${DEFAULT_URL}`,
    );
  }
  return new URL("status", url.href.endsWith("/") ? url : `${url.href}/`);
}

async function askTrusting(
  url: URL,
  ca: string | undefined,
  stop: AbortSignal,
): Promise<Status> {
  if (ca === undefined) return await ask(url, { stop });
  using client = Deno.createHttpClient({ caCerts: [ca] });
  return await ask(url, { stop, client });
}

async function ask(
  url: URL,
  { stop, client }: { stop: AbortSignal; client?: Deno.HttpClient },
): Promise<Status> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, client === undefined ? { signal } : { signal, client });
    text = await response.text();
  } catch (error) {
    if (stop.aborted) throw new Failure("Stopped before the server answered");
    const untrusted = untrustedReason(error);
    if (untrusted !== undefined) {
      throw new Failure(
        `${url} does not prove to be that server (${untrusted}); name its authority by --ca`,
        { cause: error },
      );
    }
    throw new Failure(
      `No server answers at ${url}; start one with \`tributary serve\`, or give the URL it prints`,
      { cause: error },
    );
  }
  if (!response.ok) {
    throw new Failure(
      `${url} answers ${response.status}: ${printable(text.trim().slice(0, 200))}`,
    );
  }
  const parsed = statusSchema.safeParse(json(text));
  if (!parsed.success) {
    throw new Failure(`${url} answers, but is no Tributary server of this version`);
  }
  return parsed.data;
}

/** What the certificate lacks; undefined where the failure is another. */
function untrustedReason(error: unknown): string | undefined {
  const text = error instanceof Error ? `${error.message} ${error.cause ?? ""}` : String(error);
  return /invalid peer certificate: (\w+)/.exec(text)?.[1];
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
