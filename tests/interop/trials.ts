/** What a client in any language is made to go through, and what it did then. */

import { serverMessage } from "../../src/contract/codec.ts";
import { type ClientMessage, type UpdatePart, Verdict } from "../../src/contract/federation_pb.ts";
import type { Answer } from "../../src/contract/protocol_server.ts";
import type { Meddling } from "./meddling_link.ts";

/** What is done to a good client, and what it does, one after the other. */
export const PASSED: readonly string[] = [
  ...["busy", "part forgotten", "gap filled", "cut off", "resumed", "went on"],
  ...["session denied", "began anew", "answer lost", "resumed", "sent again"],
];

type Judged = {
  readonly verdict: Verdict;
  readonly nextOffset?: bigint;
  readonly retryAfterMs?: number;
};

/**
 * Trials of at least two clients, with a round for each, and uploads of more than 150,000 bytes in
 * parts of 16 KiB.
 */
export class Trials {
  readonly #clients: readonly string[];
  readonly #log = new Map<string, string[]>();
  /** By client: where the part stood that was acknowledged, and not kept. */
  readonly #forgotten = new Map<string, bigint>();
  /** By round: the clients whose updates count. */
  readonly #counted = new Map<number, Set<string>>();

  constructor(clients: readonly string[]) {
    this.#clients = clients;
  }

  of(client: string): readonly string[] {
    return this.#log.get(client) ?? [];
  }

  meddle(message: ClientMessage): Meddling {
    const { body, clientId } = message;
    if (body.case === "hello") this.#hello(clientId, body.value.session.length > 0);
    return body.case === "updatePart" ? this.#part(message, body.value) : "pass";
  }

  #note(client: string, what: string): void {
    this.#log.set(client, [...this.of(client), what]);
  }

  #hello(client: string, withSession: boolean): void {
    const last = this.of(client).at(-1);
    if (last === "cut off" || last === "answer lost") {
      this.#note(client, withSession ? "resumed" : "forgot its session");
    }
    if (last === "session denied") {
      this.#note(client, withSession ? "kept its session" : "began anew");
    }
  }

  #part({ clientId, sequence, runId }: ClientMessage, part: UpdatePart): Meddling {
    const { offset } = part;
    const seen = this.of(clientId);
    const last = seen.at(-1);
    const answer = (value: Judged) =>
      serverMessage({ runId, body: { case: "receipt", value: { sequence, ...value } } }) as Answer;
    if (last === undefined && offset > 20_000n) {
      this.#note(clientId, "busy");
      return answer({ verdict: Verdict.BUSY, retryAfterMs: 100 });
    }
    if (last === "busy" && offset > 60_000n) {
      this.#note(clientId, "part forgotten");
      this.#forgotten.set(clientId, offset);
      return answer({ verdict: Verdict.HELD, nextOffset: offset + BigInt(part.bytes.length) });
    }
    if (last === "part forgotten" && offset === this.#forgotten.get(clientId)) {
      this.#note(clientId, "gap filled"); // what came behind it has met the server's own GAP
    }
    if (last === "gap filled" && offset > 100_000n) {
      this.#note(clientId, "cut off");
      return "cut";
    }
    if (last === "resumed") {
      const again = seen.includes("answer lost");
      this.#note(clientId, again ? "sent again" : offset > 0n ? "went on" : "began at 0");
    }
    if (last === "went on" && offset > 130_000n) this.#note(clientId, "session denied");
    if (this.of(clientId).at(-1) === "session denied") {
      return answer({ verdict: Verdict.NO_SESSION });
    }
    if (offset + BigInt(part.bytes.length) < part.totalBytes) return "pass";
    return this.#whole(clientId, part.modelRound) ??
      answer({ verdict: Verdict.BUSY, nextOffset: offset, retryAfterMs: 50 });
  }

  /**
   * An update's last part. In each round one client does not hear that its update counts, and the
   * others are kept waiting until it has sent it again: so the round is open when it asks.
   */
  #whole(client: string, round: number): Meddling | undefined {
    const counted = this.#counted.get(round) ?? new Set();
    if (counted.has(client)) return "pass"; // a duplicate
    const amid = this.#clients.some((other) =>
      this.of(other).includes("answer lost") && !this.of(other).includes("sent again")
    );
    if (amid) return undefined;
    const through = (each: string) => this.of(each).includes("sent again");
    if (counted.size === 0 && through(client) && !this.#clients.every(through)) return undefined;
    this.#counted.set(round, counted.add(client));
    if (counted.size > 1 || through(client)) return "pass";
    this.#note(client, "answer lost");
    return "unheard";
  }
}
