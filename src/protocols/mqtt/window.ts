/** Packet identifiers of our QoS 1 messages that the client has not acknowledged (MQTT 5 §4.9). */

const MAX_PACKET_IDENTIFIER = 65_535;

export class Window {
  readonly #limit: number;
  /** Slots that only answers may use, so that a window full of model parts does not hold them up. */
  readonly #reserved: number;
  readonly #inFlight = new Set<number>();
  #last = 0;

  /** @param receiveMaximum The client's Receive Maximum, 1 to 65,535. */
  constructor(receiveMaximum: number) {
    this.#limit = receiveMaximum;
    this.#reserved = Math.floor(receiveMaximum / 4);
  }

  /** A free packet identifier, now in flight; undefined when the client has to acknowledge first. */
  take(use: "answer" | "send"): number | undefined {
    const limit = use === "answer" ? this.#limit : this.#limit - this.#reserved;
    if (this.#inFlight.size >= limit) return undefined;
    do {
      this.#last = this.#last === MAX_PACKET_IDENTIFIER ? 1 : this.#last + 1;
    } while (this.#inFlight.has(this.#last));
    this.#inFlight.add(this.#last);
    return this.#last;
  }

  /** The client acknowledged; false when nothing of that identifier was in flight. */
  release(id: number): boolean {
    return this.#inFlight.delete(id);
  }
}
