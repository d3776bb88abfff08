/** What the server's side of a measured round took, read off its events. */

import process from "node:process";
import type { Events } from "../events.ts";
import { LoopLag } from "./loop_lag.ts";

export interface WireBytes {
  readonly down: number;
  readonly up: number;
}

/** The state of things as a round closed. */
interface Mark {
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly wires: ReadonlyMap<string, WireBytes>;
}

export interface ServerFigures {
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  readonly closeMs: number;
  readonly longestBlockMs: number;
  /** By wire: what it carried in the round. */
  readonly wireBytes: ReadonlyMap<string, WireBytes>;
}

/** Measures the second round of two: the first has warmed everything up, and its model is offered to all at once. */
export class RoundMeter implements Disposable {
  readonly #lag = new LoopLag();
  readonly #marks: Promise<Mark>[] = [];
  #traffic: () => Promise<ReadonlyMap<string, WireBytes>> = () => Promise.resolve(new Map());
  #acceptedMs = 0;
  #closeMs = 0;

  /** Whom to ask for every wire's bytes so far. */
  measure(traffic: () => Promise<ReadonlyMap<string, WireBytes>>): void {
    this.#traffic = traffic;
  }

  listenTo(events: Events): Events {
    return {
      ...events,
      updateAccepted: (facts) => {
        events.updateAccepted(facts);
        this.#acceptedMs = performance.now();
      },
      roundClosed: (facts) => {
        events.roundClosed(facts);
        // Asked now, each wire answers before the next model's first part, which it is told of later.
        this.#marks.push(this.#mark());
      },
      roundStarted: (facts) => {
        events.roundStarted(facts);
        if (facts.round === 1) this.#lag.restart();
        else this.#closeMs = performance.now() - this.#acceptedMs;
      },
    };
  }

  async #mark(): Promise<Mark> {
    const atMs = performance.now();
    const { user, system } = process.cpuUsage(); // microseconds
    return { atMs, cpuSeconds: (user + system) / 1e6, wires: await this.#traffic() };
  }

  /** Of the second round, once the run is over. */
  async figures(): Promise<ServerFigures> {
    const [before, after] = await Promise.all(this.#marks);
    if (before === undefined || after === undefined) {
      throw new Error(`The run closed ${this.#marks.length} rounds, not 2`);
    }
    const wireBytes = [...after.wires].map(([wire, { down, up }]) => {
      const { down: downBefore, up: upBefore } = before.wires.get(wire) ?? { down: 0, up: 0 };
      return [wire, { down: down - downBefore, up: up - upBefore }] as const;
    });
    return {
      seconds: (after.atMs - before.atMs) / 1000,
      serverCpuSeconds: after.cpuSeconds - before.cpuSeconds,
      closeMs: this.#closeMs,
      longestBlockMs: this.#lag.longestMs,
      wireBytes: new Map(wireBytes),
    };
  }

  [Symbol.dispose](): void {
    this.#lag[Symbol.dispose]();
  }
}
