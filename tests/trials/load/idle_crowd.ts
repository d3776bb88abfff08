/** Many clients that are only there, and a few of them at work in each round. */

import { setTimeout as delay } from "node:timers/promises";
import { Awaitable } from "../../support/awaitable.ts";
import { Crowd, type Happening } from "./crowd.ts";
import { ServerProcess } from "./server_process.ts";

export interface IdleCrowdSpec {
  /** Clients on each wire. */
  readonly clients: ReadonlyMap<string, number>;
  readonly perRound: number;
  readonly rounds: number;
  /** How long all of them are only there, before the first round. */
  readonly idleMs: number;
  readonly modelFile: string;
  readonly weightBytes: number;
  readonly flags: readonly string[];
}

export interface IdleCrowdFigures {
  /** Bytes that one more idle client of a wire makes resident, by wire. */
  readonly bytesPerClient: ReadonlyMap<string, number>;
  readonly wholeBytes: number;
  readonly rounds: readonly { readonly clients: number; readonly seconds: number }[];
  readonly confirmed: number;
  /** Connections lost before the end, by wire. */
  readonly drops: ReadonlyMap<string, number>;
  readonly failures: readonly Happening[];
}

export async function runIdleCrowd(spec: IdleCrowdSpec): Promise<IdleCrowdFigures> {
  const wires = [...spec.clients.keys()];
  const all = [...spec.clients.values()].reduce((sum, count) => sum + count, 0);
  await using server = new ServerProcess([
    ...["--model", spec.modelFile, "--rounds", String(spec.rounds)],
    ...["--min-clients", String(all), "--max-clients", String(all)],
    ...["--clients-per-round", String(spec.perRound), "--protocols", wires.join(",")],
    ...spec.flags,
  ]);
  const urls = await server.addresses(wires);
  const happenings = new Awaitable<Happening>();
  await using stack = new AsyncDisposableStack();
  const crowds: Crowd[] = [];
  const bytesPerClient = new Map<string, number>();
  // The last one's last client begins the rounds: it comes when every wire has been measured.
  let joined = 0;
  let before = (await server.memory()).nowBytes;
  for (const [wire, count] of spec.clients) {
    const idle = wire === wires.at(-1) ? count - 1 : count;
    const url = urls.get(wire) ?? "";
    const clients = Array.from({ length: idle }, (_, index) => ({ id: `${wire}-${index}`, url }));
    crowds.push(
      stack.use(new Crowd({ clients, weightBytes: spec.weightBytes }, happenings)),
    );
    joined += idle;
    await happenings.some(joined, ({ what }) => what === "modelHeld");
    const { nowBytes } = await server.memory();
    bytesPerClient.set(wire, (nowBytes - before) / idle);
    before = nowBytes;
  }
  await delay(spec.idleMs);
  const last = wires.at(-1) ?? "";
  const clients = [{ id: `${last}-last`, url: urls.get(last) ?? "" }];
  crowds.push(stack.use(new Crowd({ clients, weightBytes: spec.weightBytes }, happenings)));
  await server.log.find(({ message }) => message === "run stopped");
  const lost = happenings.all.filter(({ what }) => what === "lost");
  await Promise.all(crowds.map((crowd) => crowd.ended()));
  await server.ended();
  const closed = server.log.all.filter(({ message }) => message === "round closed");
  return {
    bytesPerClient,
    wholeBytes: before,
    rounds: closed.map(({ clients, seconds }) => ({
      clients: Number(clients),
      seconds: Number(seconds),
    })),
    confirmed:
      server.log.all.filter(({ message, reason }) => message === "client left" && reason === "done")
        .length,
    drops: new Map(wires.map((wire) => [wire, lost.filter((each) => each.wire === wire).length])),
    failures: happenings.all.filter(({ what }) => what === "failed"),
  };
}
