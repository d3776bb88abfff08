/** The other side of a protocol server's callbacks, for tests of the wire alone: it judges as told. */

import { serverMessage } from "../../src/contract/codec.ts";
import type { ClientMessage } from "../../src/contract/federation_pb.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { Answer, Arrival, Upcalls, WireEvent } from "../../src/contract/protocol_server.ts";
import { Awaitable } from "./awaitable.ts";

export const RUN_ID = "run-of-the-test";

export function answer(
  sequence: number,
  verdict: Verdict,
  more: { detail?: string; nextOffset?: bigint; retryAfterMs?: number } = {},
): Answer {
  return serverMessage({
    runId: RUN_ID,
    body: { case: "receipt", value: { sequence, verdict, ...more } },
  }) as Answer;
}

/** Records arrivals and answers each message as `judge` says; by default everything is accepted. */
export class ScriptedCoordinator implements Upcalls {
  readonly arrivals = new Awaitable<Arrival>();
  readonly events = new Awaitable<WireEvent>();
  judge: (message: ClientMessage) => Answer | Promise<Answer> = (message) =>
    answer(message.sequence, Verdict.ACCEPTED);

  deliver = async (arrival: Arrival): Promise<Answer | undefined> => {
    this.arrivals.push(arrival);
    if (arrival.kind === "detached" || arrival.kind === "revoked") return undefined;
    if (arrival.kind === "unreadable") {
      return answer(0, Verdict.MALFORMED, { detail: arrival.detail });
    }
    const judged = await this.judge(arrival.message);
    return arrival.message.sequence === 0 ? undefined : judged;
  };

  observe(event: WireEvent): void {
    this.events.push(event);
  }

  /** The first message of one client, or the next that fits. */
  async message(
    clientId: string,
    fits: (message: ClientMessage) => boolean = () => true,
  ): Promise<Extract<Arrival, { kind: "message" }>> {
    return await this.arrivals.find((arrival) =>
      arrival.kind === "message" && arrival.message.clientId === clientId && fits(arrival.message)
    ) as Extract<Arrival, { kind: "message" }>;
  }
}
