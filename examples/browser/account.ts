/** What a client tells, as sentences for people. */

import type { SessionEvent } from "../../src/client/session_event.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { drawChart } from "./chart.ts";
import { Rounds, type Status } from "./rounds.ts";
import { enter, show, showProgress, showRounds } from "./view.ts";

const WIRES: Readonly<Record<string, string>> = {
  webtransport: "WebTransport (QUIC over UDP)",
  websocket: "WebSocket (TCP)",
};

export class Account {
  readonly #rounds = new Rounds();
  /** Why the connection is not by the first address. */
  #detour = "";
  /** Rounds that the run is to have. */
  #total: number | undefined;
  #round = 0;

  constructor() {
    this.#refresh();
    show({ round: "–", connection: "none yet", samples: "loading" });
  }

  hear(event: SessionEvent): void {
    switch (event.kind) {
      case "unreachable":
        return this.#unreachable(event);
      case "welcomed": {
        const { wire } = event;
        const because = wire === "websocket" && this.#detour !== ""
          ? `, because ${this.#detour}`
          : "";
        show({ connection: (WIRES[wire] ?? wire) + because });
        return enter("waiting", "In the federation; the next round has not begun yet");
      }
      case "training": {
        const { round, progress: { batch, batches, loss } } = event;
        showProgress(batch / batches);
        this.#enterRound(round);
        enter("training", `${this.#named(round)}, loss ${loss.toFixed(3)}`);
        if (this.#rounds.get(round).update === "training") return;
        this.#rounds.get(round).update = "training";
        return this.#refresh();
      }
      case "trained":
        this.#rounds.get(event.round).own = event.metrics;
        this.#rounds.get(event.round).update = "sending";
        enter("sending", `${this.#named(event.round)}: the update is on its way`);
        return this.#refresh();
      case "uploaded": {
        const { round, verdict, detail } = event;
        const known = this.#rounds.get(round);
        known.refused = verdict !== Verdict.ACCEPTED && verdict !== Verdict.DUPLICATE;
        known.update = Verdict[verdict].toLowerCase() + (detail === "" ? "" : `: ${detail}`);
        enter("waiting", `${this.#named(round)}: the other clients are not done yet`);
        return this.#refresh();
      }
      case "taskFailed":
        this.#rounds.get(event.round).refused = true;
        this.#rounds.get(event.round).update = event.reason;
        enter("waiting", event.reason);
        return this.#refresh();
      case "roundClosed":
        this.#rounds.get(event.round).clients = event.clients;
        return this.#refresh();
      case "waiting":
        return enter(
          "joining",
          `${event.reason}; once more in ${Math.ceil(event.retryInMs / 1000)} s`,
        );
      case "lost":
        show({ connection: `lost: ${event.reason}` });
        return enter("lost", "Looking for the server again");
      case "wireChosen":
        this.#detour = event.reason;
        return;
      case "modelPart":
      case "modelHeld":
      case "evaluated":
        return;
      default:
        event satisfies never;
    }
  }

  /** What the server says of its rounds. */
  learn({ rounds, history }: Status): void {
    this.#total = rounds;
    if (this.#round > 0) this.#enterRound(this.#round);
    this.#rounds.learn(history);
    this.#refresh();
  }

  #unreachable({ url, reason, retryInMs }: Extract<SessionEvent, { kind: "unreachable" }>): void {
    if (url.startsWith("quic:")) {
      this.#detour = `WebTransport failed: ${reason.replace(/^Cannot reach \S+: /, "")}`;
    }
    if (retryInMs !== undefined) {
      show({ connection: reason });
      return enter("lost", `Once more in ${Math.ceil(retryInMs / 1000)} s`);
    }
    enter("joining", "WebTransport failed; trying WebSocket");
  }

  #enterRound(round: number): void {
    this.#round = round;
    show({ round: this.#total === undefined ? String(round) : `${round} / ${this.#total}` });
  }

  #named(round: number): string {
    return this.#total === undefined ? `Round ${round}` : `Round ${round} of ${this.#total}`;
  }

  #refresh(): void {
    const rounds = this.#rounds.all();
    showRounds(rounds);
    drawChart(rounds);
  }
}
