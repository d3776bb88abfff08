/** What a connection sees of the server it came to. */

import type { Route, Upcalls } from "../../contract/protocol_server.ts";
import type { Terms } from "./admission.ts";
import type { Session } from "./session.ts";
import type { Refusal } from "./wire.ts";

export interface Endpoint {
  readonly terms: Terms;
  readonly maxUnjudgedBytes: number;
  readonly connectTimeoutMs: number;
  readonly upcalls: Upcalls;
  /** The retained message of the state topic. */
  readonly state: Uint8Array<ArrayBuffer>;
  /** A route for an admissible client; an older session of the same client is taken over. */
  enrol(clientId: string): Route | Refusal;
  /** From now on the route leads to this session. */
  open(session: Session): void;
  /** The session's route is over. */
  strike(session: Session): void;
  /** Counts bytes on the wire. */
  count(direction: "up" | "down", bytes: number): void;
}
