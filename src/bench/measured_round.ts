/** One round whose every step is timed: the server here, a client that learns nothing on each wire. */

import type { Config } from "../config.ts";
import type { Outcome } from "../coordinator/options.ts";
import { LocalFederation } from "../demo/local_federation.ts";
import type { Events } from "../events.ts";
import { Metrics } from "../metrics.ts";
import { passageOf } from "./client.ts";
import type { Passage, RoundFigures } from "./figures.ts";
import { RoundMeter } from "./round_meter.ts";

export interface MeasuredRoundSpec {
  /** Its run has two rounds. */
  readonly config: Config;
  readonly events: Events;
  readonly signal: AbortSignal;
}

export interface MeasuredRound extends RoundFigures {
  readonly outcome: Outcome;
}

/** @throws {Error} when a client or the server cannot go on; the sentence says why. */
export async function measureRound(spec: MeasuredRoundSpec): Promise<MeasuredRound> {
  const { config, events, signal } = spec;
  using meter = new RoundMeter();
  const passages = new Map<string, Passage>();
  await using federation = await LocalFederation.open({
    parts: { config, events: meter.listenTo(events), metrics: new Metrics() },
    client: ({ wire, url }) => ({
      args: ["bench", "--client", url, "--id", wire],
      hear: (line) => {
        const passage = passageOf(line);
        if (passage !== undefined) passages.set(wire, passage); // the second round's stays
      },
    }),
    signal,
  });
  meter.measure(async () => {
    const { wires } = await federation.server.status();
    return new Map(wires.map(({ wire, up_bytes: up, down_bytes: down }) => [wire, { up, down }]));
  });
  const outcome = await federation.finished();
  await federation.ended();
  const { wireBytes, ...figures } = await meter.figures();
  const wires = config.protocols.map((wire) => {
    const passage = passages.get(wire);
    const bytes = wireBytes.get(wire);
    if (passage?.round !== 2 || bytes === undefined) {
      throw new Error(`The ${wire} client did not take part in the measured round`);
    }
    return { wire, ...passage, wireBytes: bytes };
  });
  return { ...figures, wires, outcome };
}
