/**
 * A hundred clients that upload 40 MB at once to a server that may hold 512 MiB of updates, and a
 * thousand clients that are only there. Prints what it cost; ends with 0 only if nothing was lost.
 */

import { join } from "node:path";
import { benchModel } from "../../../src/bench/model.ts";
import { Failure, report } from "../../../src/cli/exit.ts";
import { type Io, processIo } from "../../../src/cli/io.ts";
import { table } from "../../../src/cli/table.ts";
import { PROTOCOLS } from "../../../src/protocols/mod.ts";
import { type FullHouseFigures, runFullHouse } from "./full_house.ts";
import { type IdleCrowdFigures, runIdleCrowd } from "./idle_crowd.ts";

const MIB = 2 ** 20;
const LARGE_BYTES = 40_000_000;
const SMALL_BYTES = 40_000;
const LIMIT_BYTES = 512 * MIB;
/** Of the limit, what memory may grow by. */
const MOST_GROWTH = 1.25;

const FULL_HOUSE = { clients: 100, processes: 2 };
/** Of them, so many are at work in each round. */
const CLIENTS_A_WIRE = 210;
const ACTIVE = 50;
/** Silent for three of them, a client is dropped. */
const HEARTBEAT_MS = 2000;
const IDLE_MS = 5 * HEARTBEAT_MS;
const IDLE_ROUNDS = 3;

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}

function printFullHouse({ stdout }: Io, figures: FullHouseFigures): void {
  const rows: [string, string][] = [
    ["updates that count", `${figures.accepted} of ${FULL_HOUSE.clients}`],
    ["answered as busy meanwhile", String(figures.busy)],
    ["connections lost", String(figures.lostConnections)],
    ["base, after a whole round", mib(figures.baseBytes)],
    ["most in the next round", mib(figures.peakBytes)],
    ["growth", mib(figures.peakBytes - figures.baseBytes)],
    ["allowed", mib(MOST_GROWTH * LIMIT_BYTES)],
    ["most in the first round", mib(figures.firstPeakBytes)],
    ["the second round took", `${figures.secondRoundSeconds.toFixed(1)} s`],
  ];
  stdout.write(
    `${FULL_HOUSE.clients} clients upload ${LARGE_BYTES / 1e6} MB each, limit ${
      mib(LIMIT_BYTES)
    }\n`,
  );
  stdout.write(table(rows, [
    { title: "server", text: ([what]) => what },
    { title: "figure", align: "right", text: ([, figure]) => figure },
  ], stdout));
  const mistakes = [
    figures.accepted < FULL_HOUSE.clients ? "not every update was accepted" : "",
    figures.peakBytes - figures.baseBytes > MOST_GROWTH * LIMIT_BYTES ? "memory grew too far" : "",
    ...figures.failures.map(({ client, reason }) => `${client} failed: ${reason}`),
  ].filter((mistake) => mistake !== "");
  if (mistakes.length > 0) throw new Failure(mistakes.join("; "));
}

function printIdleCrowd({ stdout }: Io, figures: IdleCrowdFigures): void {
  const { bytesPerClient, drops, rounds, wholeBytes, confirmed } = figures;
  stdout.write(
    `\n${CLIENTS_A_WIRE} clients a wire, ${ACTIVE} of them at work in each round; ` +
      `${mib(wholeBytes)} in all\n`,
  );
  stdout.write(table([...bytesPerClient], [
    { title: "wire", text: ([wire]) => wire },
    {
      title: "KiB an idle client",
      align: "right",
      text: ([, bytes]) => (bytes / 1024).toFixed(0),
    },
    { title: "dropped", align: "right", text: ([wire]) => String(drops.get(wire) ?? 0) },
  ], stdout));
  stdout.write(
    `${
      rounds.map(({ clients, seconds }) => `${clients} in ${seconds.toFixed(2)} s`).join(", ")
    }; ` +
      `${confirmed} confirmed the final model\n`,
  );
  const all = CLIENTS_A_WIRE * bytesPerClient.size;
  const mistakes = [
    [...drops.values()].some((count) => count > 0) ? "connections were dropped" : "",
    rounds.some(({ clients }) => clients < ACTIVE) ? "a round closed with fewer clients" : "",
    confirmed < all ? `${all - confirmed} clients did not confirm the final model` : "",
    ...figures.failures.map(({ client, reason }) => `${client} failed: ${reason}`),
  ].filter((mistake) => mistake !== "");
  if (mistakes.length > 0) throw new Failure(mistakes.join("; "));
}

async function run(io: Io, which: string | undefined): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "tributary-load-" });
  try {
    const ports = PROTOCOLS.flatMap((wire) => [`--${wire}-port`, "0"]);
    const flags = [...ports, "--web-port", "0"];
    if (which !== "idle") {
      const modelFile = join(directory, "large.safetensors");
      await Deno.writeFile(modelFile, benchModel(LARGE_BYTES));
      printFullHouse(
        io,
        await runFullHouse({
          wires: PROTOCOLS,
          ...FULL_HOUSE,
          modelFile,
          weightBytes: LARGE_BYTES,
          limitBytes: LIMIT_BYTES,
          flags,
        }),
      );
    }
    if (which !== "full") {
      const modelFile = join(directory, "small.safetensors");
      await Deno.writeFile(modelFile, benchModel(SMALL_BYTES));
      printIdleCrowd(
        io,
        await runIdleCrowd({
          clients: new Map(PROTOCOLS.map((wire) => [wire, CLIENTS_A_WIRE])),
          perRound: ACTIVE,
          rounds: IDLE_ROUNDS,
          idleMs: IDLE_MS,
          modelFile,
          weightBytes: SMALL_BYTES,
          flags: [...flags],
        }),
      );
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) {
  using io = processIo();
  try {
    await run(io, Deno.args[0]);
  } catch (error) {
    report(error, io.stderr);
    Deno.exit(1);
  }
  Deno.exit(0);
}
