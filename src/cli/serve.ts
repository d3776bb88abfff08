/** `tributary serve`: trains one model with clients on several wires at once. */

import type { Command } from "commander";
import type { Config } from "../config.ts";
import { exposures, openBrokers, openDds } from "../config/contradictions.ts";
import { type Events, openEvents } from "../events.ts";
import { openLog } from "../log.ts";
import { Metrics } from "../metrics.ts";
import { FederationServer } from "../server/federation_server.ts";
import { available } from "../server/available.ts";
import { VaultError } from "../vault/vault.ts";
import { makeCommand, parse } from "./command.ts";
import { addConfigFlags, configOf } from "./config_flags.ts";
import { exit, type ExitCode, Failure, OperatorError, Suspended } from "./exit.ts";
import type { Io } from "./io.ts";
import { raiseOpenFiles } from "./open_files.ts";
import { paint } from "./paint.ts";
import { table } from "./table.ts";

/** With a second for the last messages before it, a server that is stopped is gone in five. */
const CLOSE_MS = 3500;

export function command(io: Io): Command {
  return addConfigFlags(makeCommand({
    name: "tributary serve",
    description: "Trains one model with clients on several wires at once.",
    examples: [
      ["tributary serve --min-clients 3 --state run1", "the digit classifier, on every wire"],
      ["tributary serve --protocols mqtt --mqtt-port 1884", "a server for MQTT alone"],
      [
        "tributary serve --model start.safetensors --topology layers.json --rounds 20",
        "a model of one's own",
      ],
    ],
  }, io));
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const resolved = await configOf(asked, io);
  if (resolved === undefined) return exit.ok;
  const { config, given } = resolved;
  using log = openLog({ ...config.log, output: io.stderr });
  if (Deno.build.standalone) raiseOpenFiles();
  const metrics = new Metrics();
  const mandatory = given.has("protocols"); // wires asked for by name are not left out
  return await serve(config, { io, events: openEvents(log, metrics), metrics, mandatory });
}

async function serve(
  config: Config,
  { io, events, metrics, mandatory }: {
    io: Io;
    events: Events;
    metrics: Metrics;
    mandatory: boolean;
  },
): Promise<ExitCode> {
  const { missing, config: possible } = available(config, { mandatory });
  for (const warning of warningsOf(possible)) {
    io.stderr.write(`${paint(io.stderr, "warn", "warning:")} ${warning}\n`);
  }
  const server = await openServer(possible, events, metrics, missing);
  try {
    return await served(server, config, { io, events });
  } finally {
    await within(CLOSE_MS, server[Symbol.asyncDispose]());
  }
}

/** What the operator has allowed, and what comes of it. */
export function warningsOf(config: Config): string[] {
  const dds = openDds(config);
  return [
    ...exposures(config).map(({ section, hostname, missing }) =>
      `${section} listens on ${hostname}, which other machines can reach, and ${missing}`
    ),
    ...openBrokers(config).map(({ section, hostname, missing }) =>
      `${section} is on ${hostname}, where whoever may write can be any client or the server, ` +
      `and ${missing}`
    ),
    ...(dds === undefined ? [] : [dds]),
  ];
}

async function served(
  server: FederationServer,
  config: Config,
  { io, events }: { io: Io; events: Events },
): Promise<ExitCode> {
  io.stdout.write(invitation(server, config, io));
  const stopped = Promise.withResolvers<"stopped">();
  const onStop = () => stopped.resolve("stopped");
  io.signal.addEventListener("abort", onStop, { once: true });
  if (io.signal.aborted) onStop();
  try {
    const end = await Promise.race([server.finished, stopped.promise]);
    if (end === "stopped") {
      await server.farewell("the operator stopped the server");
      events.runStopped({ reason: "shutdown", round: (await server.status()).round });
      return exit.ok;
    }
    const where = end.modelPath === undefined ? "not saved: there is no --state" : end.modelPath;
    io.stdout.write(
      `${end.reason}; ${holders(end.confirmed.length)} the final model\n` +
        `model   ${where}\nsha256  ${end.sha256}\n`,
    );
    return exit.ok;
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    const { cause } = error instanceof Error ? error : {};
    if (cause instanceof VaultError && cause.isFull) {
      throw new Suspended(sentence, { cause: error });
    }
    throw new Failure(sentence, { cause: error });
  } finally {
    io.signal.removeEventListener("abort", onStop);
  }
}

/** Waits for work, but not longer. What is kept is kept already, and may end anywhere. */
async function within(longestMs: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, longestMs);
  await Promise.race([work, late.promise]);
  clearTimeout(timer);
}

async function openServer(
  config: Config,
  events: Events,
  metrics: Metrics,
  missing: Readonly<Record<string, string>>,
): Promise<FederationServer> {
  try {
    return await FederationServer.open({ config, events, metrics, missing });
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    // Room may come by itself: what starts a suspended server again must not give up meanwhile.
    if (error.isFull) throw new Suspended(error.message, { cause: error });
    throw new OperatorError(error.message, { cause: error });
  }
}

/** One line a wire, ready to be pasted where the clients are. */
function invitation(
  server: FederationServer,
  { name, training, tls, tokens }: Config,
  io: Io,
): string {
  const trust = tls.cert === undefined
    ? ""
    : "clients name the authority of --tls-cert by --ca FILE, unless it is a public one\n";
  const proof = tokens === "off" ? "" : " --id ID --token-file FILE";
  const wires = table(server.addresses, [
    { title: "wire", text: ({ wire }) => wire },
    { title: "join with", text: ({ url }) => `tributary join '${url}'${proof} --data train.csv` },
  ], io.stdout);
  const page = server.webUrl === undefined ? "" : `status page ${server.webUrl}; `;
  const wanted = training.minClients;
  return `${
    paint(io.stdout, "strong", `Federation ${name}`)
  }, run ${server.runId}\n${wires}${trust}` +
    `${page}waiting for ${wanted} ${wanted === 1 ? "client" : "clients"}; Ctrl-C stops\n`;
}

function holders(count: number): string {
  return count === 1 ? "1 client holds" : `${count} clients hold`;
}
