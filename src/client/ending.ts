/** How a session ends, or one connection's part of it. */

import { type Closing, ClosingReason, type Receipt } from "../contract/federation_pb.ts";
import type { FinalModel } from "./session_options.ts";

/** Why one connection's part of the session is over. */
export type Turn = { readonly kind: "redial"; readonly afterMs: number } | {
  readonly kind: "finished";
  readonly final: FinalModel;
};

/** The server does not want this client, or has gone; the message says what to do. */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
  /** Whether time alone mends it: a run that is over, a server that went away. */
  readonly passes: boolean;

  constructor(message: string, { passes = false }: { passes?: boolean } = {}) {
    super(message);
    this.passes = passes;
  }
}

/** What a Closing means for the client; undefined where it may dial again. */
export function endOf({ reason, detail }: Closing, clientId: string): SessionEnded | undefined {
  switch (reason) {
    case ClosingReason.REPLACED:
      return new SessionEnded(
        `Another client joined as ${clientId}: give each client an --id of its own`,
      );
    case ClosingReason.REFUSED:
      // A token that has expired is refused again, in the answer to the next Hello.
      return new SessionEnded(`The server closed: ${detail}`, { passes: true });
    case ClosingReason.SHUTDOWN:
      return new SessionEnded(`The server shut down before the run ended: ${detail}`, {
        passes: true,
      });
    default:
      return undefined;
  }
}

export function refused({ detail }: Receipt): string {
  return `The server refused this client: ${detail}`;
}
