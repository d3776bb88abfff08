import assert from "node:assert/strict";
import { RoundMeter } from "../../src/bench/round_meter.ts";
import { type Events, openEvents } from "../../src/events.ts";
import { Metrics } from "../../src/metrics.ts";

const silent: Events = openEvents({ write: () => {} }, new Metrics());

/** A meter that reads these bytes, one count for each round's close. */
function meterOf(counts: readonly { down: number; up: number }[]): RoundMeter {
  const meter = new RoundMeter();
  let next = 0;
  meter.measure(() => Promise.resolve(new Map([["mqtt", counts[next++] ?? { down: 0, up: 0 }]])));
  return meter;
}

function closeRound(events: Events, round: number): void {
  events.updateAccepted({ client: "c", wire: "mqtt", round, samples: 1, bytes: 1 });
  events.roundClosed({
    round,
    cause: "complete",
    clients: 1,
    selected: 1,
    samples: 1,
    seconds: 1,
  });
}

Deno.test("RoundMeter counts what each wire carried between the first round's close and the second's", async () => {
  using meter = meterOf([{ down: 100, up: 200 }, { down: 150, up: 230 }]);
  const events = meter.listenTo(silent);
  events.roundStarted({ round: 1, clients: 1 });
  closeRound(events, 1);
  events.roundStarted({ round: 2, clients: 1 });
  closeRound(events, 2);
  const figures = await meter.figures();
  assert.deepEqual(figures.wireBytes, new Map([["mqtt", { down: 50, up: 30 }]]));
  assert.ok(figures.seconds >= 0 && figures.serverCpuSeconds >= 0 && figures.closeMs >= 0);
});

Deno.test("RoundMeter has no figures of a run that did not close two rounds", async () => {
  using meter = meterOf([{ down: 1, up: 1 }]);
  closeRound(meter.listenTo(silent), 1);
  await assert.rejects(meter.figures(), /closed 1 rounds/);
});

Deno.test("RoundMeter passes every event on", () => {
  using meter = new RoundMeter();
  const metrics = new Metrics();
  const lines: string[] = [];
  const write = (_level: string, message: string) => void lines.push(message);
  const events = meter.listenTo(openEvents({ write }, metrics));
  events.roundStarted({ round: 1, clients: 1 });
  closeRound(events, 1);
  events.gathering({ clients: 0, wanted: 1 });
  assert.deepEqual(lines, [
    "round started",
    "update accepted",
    "round closed",
    "waiting for clients",
  ]);
});
