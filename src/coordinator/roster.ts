/** Who is here, in which session, and by which routes each client can be reached. Knows no wire. */

import { sameBytes } from "../contract/bytes.ts";
import type { Hello } from "../contract/federation_pb.ts";
import type { Route, WireName } from "../contract/protocol_server.ts";
import type { Events } from "../events.ts";
import type { SessionRow } from "../vault/ledger.ts";

/** A model as far as a client holds it. */
export interface Held {
  readonly round: number;
  readonly offset: number;
  readonly whole: boolean;
}

export interface Client {
  readonly id: string;
  readonly session: Uint8Array<ArrayBuffer>;
  /** Of the Hello that opened the session. */
  readonly nonce: Uint8Array<ArrayBuffer>;
  /** Of its newest Hello, which is that of its newest connection. */
  newestNonce: Uint8Array<ArrayBuffer>;
  samples: number;
  software: string;
  labels: Readonly<Record<string, string>>;
  /** Oldest first. Empty while the client is between connections. */
  routes: readonly Route[];
  /** The wire that tasks and models go to; undefined: the newest route. */
  downlinkWire: WireName | undefined;
  /** Of the server's monotonic clock. */
  lastHeardMs: number;
  held: Held | undefined;
  /** Its newest update that counts, or counted. */
  counted: { readonly round: number; readonly taskId: number } | undefined;
}

/** What a Hello led to. */
export type Greeting =
  | {
    readonly kind: "welcome";
    readonly client: Client;
    /** `again`: the same Hello redelivered. */
    readonly how: "opened" | "resumed" | "attached" | "again";
    /** Routes that lost their client to this Hello. */
    readonly replaced: readonly Route[];
    /** Whose session ended to make room. */
    readonly evicted: string | undefined;
  }
  | { readonly kind: "full" }
  | { readonly kind: "noSession" }
  /** The session of a client whose id another one took since. */
  | { readonly kind: "replaced" };

const SESSION_BYTES = 16;
/** What comes from a route after its end was on its way already: only the newest matter. */
const MAX_ENDED = 1024;
/** Whoever was replaced and not told so comes back soon. */
const MAX_REPLACED = 1024;
/** Ways to reach one client: several wires, and a few connections that are not known to be lost. */
const MAX_ROUTES = 16;

export class Roster {
  readonly #clients = new Map<string, Client>();
  readonly #byRoute = new Map<string, Client>();
  /** Routes that are over for good, the newest. */
  readonly #ended = new Set<string>();
  /** Sessions that gave way to another client's Hello, the newest. */
  readonly #replaced = new Set<string>();
  readonly #maxClients: number;
  readonly #events: Events;

  constructor({ maxClients, events }: { maxClients: number; events: Events }) {
    this.#maxClients = maxClients;
    this.#events = events;
  }

  /** Takes in a session that an earlier process had opened. Its client comes back on a new route. */
  restore(row: SessionRow, at: { nowMs: number; counted: Client["counted"] }): void {
    const { client: id, session, nonce, samples, software, labels, downlinkWire } = row;
    this.#clients.set(id, {
      id,
      session,
      nonce,
      newestNonce: nonce,
      samples,
      software,
      labels,
      downlinkWire,
      routes: [],
      lastHeardMs: at.nowMs,
      held: undefined,
      counted: at.counted,
    });
  }

  get(id: string): Client | undefined {
    return this.#clients.get(id);
  }

  /** The updates of a round that was given up count no more. */
  uncount(round: number): void {
    for (const client of this.#clients.values()) {
      if (client.counted?.round === round) client.counted = undefined;
    }
  }

  all(): Client[] {
    return [...this.#clients.values()];
  }

  on(route: Route): Client | undefined {
    return this.#byRoute.get(key(route));
  }

  /** The clients that can be reached over one wire. */
  onWire(wire: WireName): Client[] {
    return this.all().filter((client) => client.routes.some((route) => route.wire === wire));
  }

  greet(id: string, hello: Hello, at: { route: Route; nowMs: number }): Greeting {
    const known = this.#clients.get(id);
    if (hello.session.length > 0) {
      if (known === undefined || !sameBytes(known.session, hello.session)) {
        return { kind: this.#replaced.has(hello.session.toHex()) ? "replaced" : "noSession" };
      }
      const how = hello.attach ? "attached" : "resumed";
      return this.#welcome(known, hello, { ...at, how });
    }
    if (known !== undefined && sameBytes(known.nonce, hello.nonce)) {
      return this.#welcome(known, hello, { ...at, how: "again" });
    }
    const evicted = known === undefined ? this.#makeRoom() : undefined;
    if (evicted === "none") return { kind: "full" };
    if (known !== undefined) keep(this.#replaced, known.session.toHex(), MAX_REPLACED);
    const client: Client = {
      id,
      session: crypto.getRandomValues(new Uint8Array(SESSION_BYTES)),
      nonce: hello.nonce.slice(),
      newestNonce: hello.nonce.slice(),
      samples: hello.samples,
      software: hello.software,
      labels: hello.labels,
      routes: known?.routes ?? [],
      downlinkWire: undefined,
      lastHeardMs: at.nowMs,
      held: undefined,
      counted: known?.counted,
    };
    this.#clients.set(id, client);
    for (const route of client.routes) this.#byRoute.set(key(route), client);
    return { ...this.#welcome(client, hello, { ...at, how: "opened" }), evicted: evicted?.id };
  }

  #welcome(
    client: Client,
    hello: Hello,
    { route, nowMs, how }: {
      route: Route;
      nowMs: number;
      how: "opened" | "resumed" | "attached" | "again";
    },
  ): Extract<Greeting, { kind: "welcome" }> {
    client.lastHeardMs = nowMs;
    client.newestNonce = hello.nonce.slice();
    client.samples = hello.samples;
    client.software = hello.software;
    client.labels = hello.labels;
    if (hello.downlink !== "") client.downlinkWire = hello.downlink;
    const held = hello.held;
    if (held !== undefined) {
      const offset = Number(held.offset);
      client.held = { round: held.modelRound, offset, whole: held.sha256.length > 0 };
    } else if (how !== "attached" && how !== "again") {
      client.held = undefined; // it says that it holds nothing
    }
    const others = client.routes.filter((each) => !sameRoute(each, route));
    const replaced = how === "attached" ? [] : others;
    for (const each of replaced) this.end(each, "replaced by a newer Hello");
    this.attach(client, route);
    return { kind: "welcome", client, how, replaced, evicted: undefined };
  }

  /**
   * Adds a route on which the client was heard with its session, as the newest. Gives back whether it
   * is one more.
   */
  attach(client: Client, route: Route): boolean {
    if (this.#ended.has(key(route))) return false;
    if (client.routes.some((each) => sameRoute(each, route))) return false;
    this.detach(route, `${client.id} speaks on it now`); // a route reaches one client
    const [oldest] = client.routes;
    if (oldest !== undefined && client.routes.length >= MAX_ROUTES) {
      this.end(oldest, `a client has at most ${MAX_ROUTES} routes`);
    }
    client.routes = [...client.routes, route];
    this.#byRoute.set(key(route), client);
    this.#events.routeAttached({ client: client.id, wire: route.wire });
    return true;
  }

  /**
   * Forgets a route that is over, be it that its wire says so or that this side ends it: what was on
   * its way on it does not bring it back, as nothing would reach its client there. Gives back the
   * client that had it.
   */
  end(route: Route, reason: string): Client | undefined {
    keep(this.#ended, key(route), MAX_ENDED);
    return this.detach(route, reason);
  }

  /** A wire's server is gone: the next one counts its routes anew. */
  forget(wire: WireName): void {
    for (const each of this.#ended) {
      if (each.startsWith(`${wire} `)) this.#ended.delete(each);
    }
  }

  /** Forgets a route, on which its client may be heard again. Gives back the client that had it. */
  detach(route: Route, reason: string): Client | undefined {
    const client = this.#byRoute.get(key(route));
    if (client === undefined) return undefined;
    this.#byRoute.delete(key(route));
    client.routes = client.routes.filter((each) => !sameRoute(each, route));
    this.#events.routeDetached({ client: client.id, wire: route.wire, reason });
    return client;
  }

  /** Ends a session: its id may open a new one. */
  remove(client: Client, reason: string): void {
    for (const route of client.routes) this.detach(route, reason);
    if (this.#clients.get(client.id) === client) this.#clients.delete(client.id);
  }

  /** The client silent for longest among those without a route gives its place up, if need be. */
  #makeRoom(): Client | undefined | "none" {
    if (this.#clients.size < this.#maxClients) return undefined;
    const absent = this.all().filter((client) => client.routes.length === 0);
    const oldest = absent.sort((left, right) => left.lastHeardMs - right.lastHeardMs)[0];
    if (oldest === undefined) return "none";
    this.remove(oldest, "made room");
    return oldest;
  }
}

/** Where tasks and models go: the newest route on the wire the client asked for, or of all. */
export function downlinkOf(client: Client): Route | undefined {
  const wanted = client.routes.filter((route) => route.wire === client.downlinkWire);
  return wanted.at(-1) ?? client.routes.at(-1);
}

/** Adds an entry, in the place of the oldest one if need be. */
function keep(entries: Set<string>, entry: string, most: number): void {
  const [oldest] = entries;
  if (oldest !== undefined && entries.size >= most) entries.delete(oldest);
  entries.add(entry);
}

function sameRoute(left: Route, right: Route): boolean {
  return left.wire === right.wire && left.id === right.id;
}

function key(route: Route): string {
  return `${route.wire} ${route.id}`;
}
