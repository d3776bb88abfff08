/**
 * Two faults in one federation of five wires and client processes, each in the middle of a round:
 * a client is killed, and the AMQP server's Worker crashes. Prints what was seen and when; ends with
 * 0 only if all of it was.
 */

import { Failure, report } from "../../src/cli/exit.ts";
import { type Io, processIo } from "../../src/cli/io.ts";
import { table } from "../../src/cli/table.ts";
import { PROTOCOLS } from "../../src/protocols/mod.ts";
import { type Moment, openScene, ROUNDS, type Scene } from "./scene.ts";

/** What was seen after a fault. */
interface Sight {
  readonly afterMs: number;
  readonly what: string;
}

const KILLED = "mqtt";
const KILLED_IN = 2;
const CRASHED = "amqp";
const CRASHED_IN = 4;

/** Far more than it takes: a federation that stands still must not hang. */
const PATIENCE_MS = 120_000;

/** Waits for moments of a scene; what does not come is said in one sentence. */
class Eyes {
  readonly #scene: Scene;
  /** Moments before this one are not looked at. */
  readonly #from: number;
  readonly begunMs = performance.now();

  constructor(scene: Scene, { from = 0 }: { from?: number } = {}) {
    this.#scene = scene;
    this.#from = from;
  }

  /** Looks at what comes from now on. */
  static fromNow(scene: Scene): Eyes {
    return new Eyes(scene, { from: scene.moments.all.length });
  }

  async see(who: string, message: string, fields: Moment["fields"] = {}): Promise<Moment> {
    try {
      return await this.#scene.moments.find(
        (moment) =>
          moment.who === who && moment.message === message &&
          Object.entries(fields).every(([name, value]) => moment.fields[name] === value),
        this.#from,
      );
    } catch (error) {
      const which = JSON.stringify(fields);
      const reason = error instanceof Error ? error.message : String(error);
      throw new Failure(`"${message}" ${which} of ${who} was not seen: ${reason}`);
    }
  }

  sight({ atMs }: Moment, what: string): Sight {
    return { afterMs: atMs - this.begunMs, what };
  }
}

/** Resolves while a client trains: it holds the round's model, and has not answered. */
async function training(scene: Scene, client: string, round: number): Promise<void> {
  const eyes = new Eyes(scene);
  await eyes.see("server", "round started", { round });
  await eyes.see(client, "model held", { round: round - 1 });
  const answered = scene.moments.all.some(({ message, fields }) =>
    message === "update accepted" && fields.client === client && fields.round === round
  );
  if (answered) throw new Failure(`The ${client} client had trained before the fault could come`);
}

async function killClient(scene: Scene): Promise<Sight[]> {
  await training(scene, KILLED, KILLED_IN);
  const eyes = Eyes.fromNow(scene);
  await scene.federation.kill(KILLED);
  const detected = await eyes.see("server", "route detached", { client: KILLED });
  const left = await eyes.see("server", "client left", { client: KILLED });
  const closed = await eyes.see("server", "round closed", { round: KILLED_IN });
  const { clients, selected } = closed.fields;
  if (clients !== PROTOCOLS.length - 1) {
    throw new Failure(
      `Round ${KILLED_IN} closed with ${clients} of ${selected} clients, not 4 of 5`,
    );
  }
  scene.federation.start(KILLED);
  const joined = await eyes.see("server", "client joined", { client: KILLED });
  const back = await eyes.see("server", "update accepted", { client: KILLED });
  return [
    eyes.sight(detected, `the server found its connection lost: ${detected.fields.reason}`),
    eyes.sight(left, `the server gave it up: ${left.fields.detail ?? left.fields.reason}`),
    eyes.sight(closed, `round ${KILLED_IN} closed without it, ${clients} of ${selected} clients`),
    eyes.sight(joined, "a new process in its place joined"),
    eyes.sight(back, `its update counts again, in round ${back.fields.round}`),
  ];
}

async function crashWorker(scene: Scene): Promise<Sight[]> {
  await training(scene, CRASHED, CRASHED_IN);
  const eyes = Eyes.fromNow(scene);
  scene.crashAmqp();
  const down = await eyes.see("server", "wire down", { wire: CRASHED });
  const lost = await eyes.see(CRASHED, "connection lost");
  const up = await eyes.see("server", "wire up", { wire: CRASHED });
  const again = await eyes.see(CRASHED, "welcomed");
  const others = PROTOCOLS.filter((wire) => wire !== CRASHED);
  const counted = await Promise.all(
    others.map((client) =>
      // Some may have been quicker than the fault.
      new Eyes(scene).see("server", "update accepted", { client, round: CRASHED_IN })
    ),
  );
  const last = counted.reduce((latest, each) => each.atMs > latest.atMs ? each : latest);
  const closed = await eyes.see("server", "round closed", { round: CRASHED_IN });
  const back = await eyes.see("server", "update accepted", { client: CRASHED });
  return [
    eyes.sight(down, `the server found its Worker dead: ${down.fields.reason}`),
    eyes.sight(lost, `its client found the connection lost: ${lost.fields.reason}`),
    eyes.sight(up, "the wire is up again, in a new Worker"),
    eyes.sight(again, "its client is welcomed again"),
    eyes.sight(back, `its client's update counts, in round ${back.fields.round}`),
    eyes.sight(last, `the other four's updates of round ${CRASHED_IN} all count`),
    eyes.sight(
      closed,
      `round ${CRASHED_IN} closed, ${closed.fields.clients} of ${closed.fields.selected} clients`,
    ),
  ].sort((a, b) => a.afterMs - b.afterMs);
}

function print({ stdout }: Io, title: string, sights: readonly Sight[]): void {
  const lines = table(sights, [
    { title: "after", align: "right", text: ({ afterMs }) => `${(afterMs / 1000).toFixed(3)} s` },
    { title: "seen", text: ({ what }) => what },
  ], stdout);
  stdout.write(`${title}\n${lines}\n`);
}

/** Both faults, and the end of the run with all five clients in it. */
async function run(io: Io): Promise<void> {
  const begunMs = performance.now();
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(PATIENCE_MS)]);
  await using scene = await openScene(signal);
  const finished = scene.federation.finished();
  // Nothing can be seen any more once the run is over, well or not.
  finished.then(
    () => scene.moments.end("the run is over"),
    (error) => scene.moments.end(error instanceof Error ? error.message : String(error)),
  );
  print(
    io,
    `The ${KILLED} client is killed (-9) in the middle of round ${KILLED_IN}`,
    await killClient(scene),
  );
  print(
    io,
    `The ${CRASHED} Worker crashes in the middle of round ${CRASHED_IN}`,
    await crashWorker(scene),
  );
  const { rounds, confirmed, sha256 } = await finished;
  if (rounds !== ROUNDS || confirmed.length !== PROTOCOLS.length) {
    throw new Failure(`The run ended after ${rounds} rounds, confirmed by ${confirmed.join(", ")}`);
  }
  await scene.federation.ended();
  const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
  io.stdout.write(
    `All five clients hold the model of round ${rounds}, ${sha256}, after ${seconds} s\n`,
  );
}

if (import.meta.main) {
  using io = processIo();
  try {
    await run(io);
  } catch (error) {
    report(error, io.stderr);
    Deno.exit(1);
  }
  Deno.exit(0);
}
