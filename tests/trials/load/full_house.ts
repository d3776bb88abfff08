/** Every client uploads a large update at once, to a server that may hold only some of them. */

import { Awaitable } from "../../support/awaitable.ts";
import { Crowd, type Happening } from "./crowd.ts";
import { ServerProcess } from "./server_process.ts";

export interface FullHouseSpec {
  readonly wires: readonly string[];
  readonly clients: number;
  /** Client processes. */
  readonly processes: number;
  readonly modelFile: string;
  readonly weightBytes: number;
  /** What the server is given as `--max-bytes-in-flight`. */
  readonly limitBytes: number;
  readonly flags: readonly string[];
}

export interface FullHouseFigures {
  /** Resident, once a whole round with every client was over. */
  readonly baseBytes: number;
  /** At its most in the round after that. */
  readonly peakBytes: number;
  /** At its most in the first round. */
  readonly firstPeakBytes: number;
  /** Updates that count in the second round. */
  readonly accepted: number;
  /** Refusals as busy, both rounds. */
  readonly busy: number;
  readonly lostConnections: number;
  readonly secondRoundSeconds: number;
  readonly failures: readonly Happening[];
}

export async function runFullHouse(spec: FullHouseSpec): Promise<FullHouseFigures> {
  const { wires, clients, processes, weightBytes } = spec;
  await using server = new ServerProcess([
    ...["--model", spec.modelFile, "--rounds", "2", "--min-clients", String(clients)],
    ...[
      "--max-bytes-in-flight",
      String(spec.limitBytes),
      "--max-update-bytes",
      String(2 * weightBytes),
      "--protocols",
      wires.join(","),
    ],
    ...spec.flags,
  ]);
  const urls = await server.addresses(wires);
  const seats = Array.from({ length: clients }, (_, index) => {
    const wire = wires[index % wires.length] ?? "";
    return { id: `${wire}-${index}`, url: urls.get(wire) ?? "" };
  });
  const happenings = new Awaitable<Happening>();
  await using stack = new AsyncDisposableStack();
  const crowds = Array.from({ length: processes }, (_, process) => {
    // Neighbours are of different wires: each process has some of each.
    const own = seats.filter((_, index) =>
      Math.floor(index / wires.length) % processes === process
    );
    return stack.use(new Crowd({ clients: own, weightBytes }, happenings));
  });
  await server.log.find((entry) => entry.message === "round closed" && entry.round === 1);
  const first = await server.memory();
  await server.forgetPeak();
  const begunMs = performance.now();
  const closed = await server.log.find((entry) =>
    entry.message === "round closed" && entry.round === 2
  );
  const secondRoundSeconds = (performance.now() - begunMs) / 1000;
  const { peakBytes } = await server.memory();
  await Promise.all(crowds.map((crowd) => crowd.ended()));
  await server.ended();
  const count = (what: string) => happenings.all.filter((each) => each.what === what).length;
  return {
    baseBytes: first.nowBytes,
    firstPeakBytes: first.peakBytes,
    peakBytes,
    accepted: Number(closed.clients),
    busy: server.log.all.filter(({ verdict }) => verdict === "busy").length,
    lostConnections: count("lost"),
    secondRoundSeconds,
    failures: happenings.all.filter(({ what }) => what === "failed"),
  };
}
