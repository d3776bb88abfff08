/** Keeps the clients' sessions in the vault, so that they outlive the process. */

import type { Events } from "../events.ts";
import type { VaultCalls } from "../vault/calls.ts";
import { sentence } from "./options.ts";
import type { Client } from "./roster.ts";

export class Sessions {
  readonly #vault: VaultCalls;
  readonly #events: Events;

  constructor({ vault, events }: { vault: VaultCalls; events: Events }) {
    this.#vault = vault;
    this.#events = events;
  }

  /**
   * Keeps a session as it is. Nobody waits for it: the vault carries its calls out in their order,
   * so whoever has an accepted update has a kept session.
   */
  keep(client: Client, { present, converged }: { present: boolean; converged: boolean }): void {
    const { id, session, nonce, samples, software, labels, downlinkWire } = client;
    const row = {
      client: id,
      session,
      nonce,
      samples,
      software,
      labels,
      downlinkWire,
      present,
      converged,
    };
    void this.#carriedOut(this.#vault.keepSession(row), id);
  }

  /**
   * Resolves when it is forgotten.
   * @param confirmed The client holds the final model.
   */
  async end(clientId: string, confirmed = false): Promise<void> {
    await this.#carriedOut(this.#vault.endSession(clientId, confirmed), clientId);
  }

  /** A session that is not kept costs its client a new Hello, and the run nothing. */
  async #carriedOut(call: Promise<void>, clientId: string): Promise<void> {
    try {
      await call;
    } catch (error) {
      this.#events.serverFailed({ what: `session of ${clientId}`, reason: sentence(error) });
    }
  }
}
