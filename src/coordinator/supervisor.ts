/** Keeps the wires up: starts each protocol server, and alone restarts one that died. */

import {
  type Address,
  type Link,
  ListenError,
  type Traffic,
  type WireName,
} from "../contract/protocol_server.ts";
import type { Revocations } from "../contract/token.ts";
import type { Clock, Timer } from "./clock.ts";
import type { Events } from "../events.ts";

/** The coordinator, as the supervisor needs it. */
export interface Hub {
  attach(wire: WireName, link: Link): Promise<readonly Address[]>;
  detach(wire: WireName, reason: string): void;
}

/**
 * Makes a new link to a wire's server: a new Worker, mostly. `urls` are where clients reached the one
 * before it, and look for this one: a port that was any free one is to be the same again.
 */
export type MakeLink = (urls?: readonly string[]) => Link;

export interface SupervisorOptions {
  readonly hub: Hub;
  readonly wires: ReadonlyMap<WireName, MakeLink>;
  readonly clock: Clock;
  readonly events: Events;
  readonly firstRetryMs?: number;
  readonly mostRetryMs?: number;
  /** In [0, 1): spreads restarts. */
  readonly random?: () => number;
}

export interface WireState {
  readonly wire: WireName;
  readonly state: "starting" | "up" | "restarting" | "closed";
  readonly urls: readonly string[];
  /** Why it is not up. */
  readonly reason: string | undefined;
  readonly restarts: number;
}

/** Up for so long, a wire counts as healthy: its next failure starts with the shortest pause again. */
const HEALTHY_MS = 60_000;

export class Supervisor implements AsyncDisposable {
  readonly #options: SupervisorOptions;
  readonly #watches = new Map<WireName, Watch>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    for (const [wire, make] of options.wires) {
      this.#watches.set(wire, new Watch(wire, make, options));
    }
  }

  /**
   * Starts every wire. Resolves once clients can reach all of them that can be reached now: one that
   * fails by itself, as its broker is not up yet, is tried again like one that died.
   * @throws {ListenError} when the operator must change something; the others are closed again.
   */
  async start(): Promise<readonly Address[]> {
    const starts = [...this.#watches.values()].map((watch) => watch.start());
    const settled = await Promise.allSettled(starts);
    const failed = settled.find((each) => each.status === "rejected");
    if (failed === undefined) {
      return settled.flatMap((each) => each.status === "fulfilled" ? each.value : []);
    }
    await this[Symbol.asyncDispose]();
    throw failed.reason;
  }

  states(): WireState[] {
    return [...this.#watches.values()].map((watch) => watch.state());
  }

  /** To every server there is; one that is started later is told by its options. */
  revoke(revoked: Revocations): void {
    for (const watch of this.#watches.values()) watch.revoke(revoked);
  }

  /** Bytes and connections of every wire that is up. */
  async traffic(): Promise<Map<WireName, Traffic>> {
    const all = new Map<WireName, Traffic>();
    await Promise.all([...this.#watches].map(async ([wire, watch]) => {
      all.set(wire, await watch.traffic());
    }));
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#watches.values()].map((watch) => watch.close()));
  }
}

/** One wire's life: up, down, up again. */
class Watch {
  readonly #wire: WireName;
  readonly #make: MakeLink;
  readonly #options: SupervisorOptions;
  #link: Link | undefined;
  #state: WireState["state"] = "starting";
  #urls: readonly string[] = [];
  #reason: string | undefined;
  #restarts = 0;
  #failures = 0;
  #upSinceMs = 0;
  #retry: Timer | undefined;
  /** Of servers that died: what a wire carried is not forgotten with its Worker. */
  #before = { up: 0, down: 0 };
  #newest: Traffic = { up: 0, down: 0, connections: 0 };

  constructor(wire: WireName, make: MakeLink, options: SupervisorOptions) {
    this.#wire = wire;
    this.#make = make;
    this.#options = options;
  }

  state(): WireState {
    return {
      wire: this.#wire,
      state: this.#state,
      urls: this.#urls,
      reason: this.#reason,
      restarts: this.#restarts,
    };
  }

  /** Resolves with no address where the wire is not up yet. */
  async start(): Promise<readonly Address[]> {
    const link = this.#make(this.#urls);
    this.#link = link;
    try {
      const addresses = await this.#options.hub.attach(this.#wire, link);
      this.#up(addresses, link);
      return addresses;
    } catch (error) {
      if (!(error instanceof ListenError)) {
        this.#down(link, error);
        return [];
      }
      this.#options.hub.detach(this.#wire, "did not start");
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  #up(addresses: readonly Address[], link: Link): void {
    if (this.#state === "closed") return;
    this.#state = "up";
    this.#reason = undefined;
    this.#urls = addresses.map((address) => address.url);
    this.#upSinceMs = this.#options.clock.nowMs();
    for (const url of this.#urls) this.#options.events.wireUp({ wire: this.#wire, url });
    link.closed.catch((error) => this.#down(link, error));
  }

  #down(link: Link, error: unknown): void {
    if (this.#state === "closed" || this.#link !== link) return;
    const { clock, hub, events, firstRetryMs = 250, mostRetryMs = 30_000, random = Math.random } =
      this.#options;
    if (this.#state === "up" && clock.nowMs() - this.#upSinceMs >= HEALTHY_MS) this.#failures = 0;
    const reason = error instanceof Error ? error.message : String(error);
    this.#before = {
      up: this.#before.up + this.#newest.up,
      down: this.#before.down + this.#newest.down,
    };
    this.#newest = { up: 0, down: 0, connections: 0 };
    this.#state = "restarting";
    this.#reason = reason;
    hub.detach(this.#wire, reason);
    const cap = Math.min(mostRetryMs, firstRetryMs * 2 ** Math.min(this.#failures++, 30));
    const delayMs = Math.round(cap / 2 + random() * cap / 2);
    events.wireDown({ wire: this.#wire, reason });
    events.wireRestarting({ wire: this.#wire, attempt: this.#failures, delayMs });
    this.#retry = clock.after(delayMs, () => void this.#restart(link));
  }

  async #restart(dead: Link): Promise<void> {
    await dead[Symbol.asyncDispose]();
    if (this.#state === "closed") return;
    this.#restarts++;
    let link = dead;
    try {
      this.#link = link = this.#make(this.#urls);
      const addresses = await this.#options.hub.attach(this.#wire, link);
      this.#up(addresses, link);
    } catch (error) {
      this.#down(link, error);
    }
  }

  revoke(revoked: Revocations): void {
    this.#link?.revoke?.(revoked);
  }

  async traffic(): Promise<Traffic> {
    if (this.#state === "up" && this.#link !== undefined) {
      // A server that dies meanwhile leaves the newest figures known.
      this.#newest = await this.#link.traffic().catch(() => this.#newest);
    }
    const { up, down, connections } = this.#newest;
    return { up: this.#before.up + up, down: this.#before.down + down, connections };
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#retry?.cancel();
    await this.#link?.[Symbol.asyncDispose]();
  }
}
