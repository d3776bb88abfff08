/** A federation on every wire, as `federation_test.ts` needs it: from the sources, or from an executable. */

import type { WireName } from "../../src/contract/protocol_server.ts";
import type { Fields } from "../../src/log.ts";
import { ExecutableFederation } from "../compiled/federation.ts";
import { Federation, HEARTBEAT_MS, type LogLine } from "./federation.ts";
import type { Member } from "./member.ts";
import { heartbeat } from "./peer.ts";
import { allWires } from "./wires.ts";

export interface MixedSpec {
  readonly minClients?: number;
  readonly rounds?: number;
  readonly evaluateFraction?: number;
}

export interface MixedFederation extends AsyncDisposable {
  /** The wires that can be served. */
  readonly wires: readonly WireName[];
  /** A client that is connected, and has said nothing. */
  dial(clientId: string, wire: WireName): Promise<Member>;
  /** A client that says Hello, and has heard Welcome. */
  join(clientId: string, options: { wire: WireName; samples?: number }): Promise<Member>;
  /** The first log line with this message, and these fields. */
  logged(message: string, fields?: Fields): Promise<LogLine>;
  /** The wires of each client that is there. */
  wiresOfClients(): Promise<readonly (readonly WireName[])[]>;
  /** Resolves with the clients that hold the final model, once the run has ended. */
  finished(): Promise<readonly string[]>;
  /** Lets so much time pass that whoever is not among `members` counts as silent. */
  outlive(members: readonly Member[]): Promise<void>;
  /** The server tells its clients that it goes away for a while. It does, at the latest when disposed. */
  stop(): Promise<void>;
}

/** An executable's where TRIBUTARY_EXECUTABLE names one, else the sources'. */
export async function openMixed(spec: MixedSpec): Promise<MixedFederation> {
  const executable = Deno.env.get("TRIBUTARY_EXECUTABLE");
  if (executable !== undefined) return await ExecutableFederation.open(executable, spec);
  const { evaluateFraction, ...plan } = spec;
  return new OwnFederation(
    await Federation.open({
      subjects: allWires,
      plan,
      ...(evaluateFraction === undefined ? {} : { evaluateFraction }),
    }),
  );
}

class OwnFederation implements MixedFederation {
  readonly #federation: Federation;
  readonly wires = allWires.map(({ wire }) => wire);

  constructor(federation: Federation) {
    this.#federation = federation;
  }

  dial(clientId: string, wire: WireName): Promise<Member> {
    return this.#federation.dial(clientId, wire);
  }

  join(clientId: string, options: { wire: WireName; samples?: number }): Promise<Member> {
    return this.#federation.join(clientId, options);
  }

  logged(message: string, fields: Fields = {}): Promise<LogLine> {
    return this.#federation.logged(message, fields);
  }

  wiresOfClients(): Promise<readonly (readonly WireName[])[]> {
    return Promise.resolve(this.#federation.coordinator.clients().map(({ wires }) => wires));
  }

  async finished(): Promise<readonly string[]> {
    return (await this.#federation.coordinator.finished).confirmed;
  }

  async outlive(members: readonly Member[]): Promise<void> {
    for (let beats = 0; beats < 5; beats++) {
      for (const member of members) await member.ask(heartbeat());
      this.#federation.clock.pass(HEARTBEAT_MS);
    }
  }

  async stop(): Promise<void> {
    await this.#federation.coordinator.farewell("restart", "the test stops the server");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#federation[Symbol.asyncDispose]();
  }
}
