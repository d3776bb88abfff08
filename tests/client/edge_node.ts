/** An edge node against the real server, in this process: one run after the other, with its state. */

import { ClientState } from "../../src/client/client_state.ts";
import { takePart } from "../../src/client/runs.ts";
import type { FinalModel, SessionEvent } from "../../src/client/session.ts";
import { Awaitable } from "../support/awaitable.ts";
import { weights } from "../support/federation.ts";
import { GivenTrainer } from "./given_trainer.ts";

export interface EdgeNodeSpec {
  readonly url: string;
  readonly id?: string;
  readonly once?: boolean;
  readonly learn?: GivenTrainer["learn"];
  /** Its state directory. */
  readonly state?: string;
}

export class EdgeNode implements AsyncDisposable {
  readonly events = new Awaitable<SessionEvent>();
  readonly finals = new Awaitable<FinalModel>();
  readonly trainer: GivenTrainer;
  /** What was reported of its state. */
  readonly reports: string[] = [];
  readonly run: Promise<void>;
  readonly #abort = new AbortController();

  constructor({ url, id = "a", once = false, learn, state }: EdgeNodeSpec) {
    this.trainer = new GivenTrainer(learn ?? (() => weights([1, 2, 3, 4])));
    this.run = this.#run({ url, id, once, path: state });
    this.run.then(
      () => this.events.end("the node has ended"),
      (error) => this.events.end(`the node has ended: ${error}`),
    );
  }

  async #run({ url, id, once, path }: {
    url: string;
    id: string;
    once: boolean;
    path: string | undefined;
  }): Promise<void> {
    await using state = path === undefined ? undefined : await ClientState.open(path, {
      clientId: id,
      newClientId: () => id,
      report: (sentence) => this.reports.push(sentence),
    });
    await takePart({
      clientId: id,
      urls: [new URL(url)],
      trainer: this.trainer,
      software: "test/1",
      once,
      state,
      signal: this.#abort.signal,
      observe: (event) => this.events.push(event),
      finished: (final) => {
        this.finals.push(final);
        return Promise.resolve();
      },
      backoff: { firstMs: 1, mostMs: 10 },
      patienceMs: 1,
    });
  }

  /** The first event of a kind. */
  async event<Kind extends SessionEvent["kind"]>(
    kind: Kind,
    fits: (event: Extract<SessionEvent, { kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<SessionEvent, { kind: Kind }>> {
    const event = await this.events.find((each) =>
      each.kind === kind && fits(each as Extract<SessionEvent, { kind: Kind }>)
    );
    return event as Extract<SessionEvent, { kind: Kind }>;
  }

  get trainings(): number {
    return this.trainer.calls.all.filter((call) => call.kind === "train").length;
  }

  stop(): void {
    this.#abort.abort(new Error("the node is stopped"));
  }

  /** Stops it, and waits until it has told the server and kept its state. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.run.catch(() => {});
  }
}
