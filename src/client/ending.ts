/** How a server ends a session for good. */

import { type Closing, ClosingReason } from "../contract/federation_pb.ts";

/** The server does not want this client, or has gone; the message says what to do. */
export class SessionEnded extends Error {
  override readonly name = "SessionEnded";
}

/** What a Closing means for the client; undefined where it may dial again. */
export function endOf({ reason, detail }: Closing, clientId: string): SessionEnded | undefined {
  switch (reason) {
    case ClosingReason.REPLACED:
      return new SessionEnded(
        `Another client joined as ${clientId}: give each client an --id of its own`,
      );
    case ClosingReason.REFUSED:
      return new SessionEnded(`The server closed: ${detail}`);
    case ClosingReason.SHUTDOWN:
      return new SessionEnded(`The server shut down before the run ended: ${detail}`);
    default:
      return undefined;
  }
}
