/** The one writer of a connection's socket. */

/**
 * Octets waiting beyond which bulk has to wait: one message being written and the next one ready
 * keep the socket busy.
 */
const ROOM_BYTES = 512 * 1024;
/** Octets waiting beyond which the peer's own requests are no longer read: it does not read ours. */
const STALL_BYTES = 4 * 1024 * 1024;
/** Small frames are put together up to this size, so that many cost one write. */
const BATCH_BYTES = 64 * 1024;

/** Writes what is pushed, in order, each piece whole. */
export class Outbox {
  readonly #socket: Pick<Deno.Conn, "write">;
  readonly #onRoom: () => void;
  readonly #onFailure: (reason: string) => void;
  readonly #batch = new Uint8Array(BATCH_BYTES);
  #pieces: Uint8Array[] = [];
  #waitingBytes = 0;
  #writtenBytes = 0;
  #writing: Promise<void> | undefined;
  #refusedBulk = false;
  #stalled: PromiseWithResolvers<void> | undefined;
  #over = false;

  /**
   * @param on.room Called when there is room again after `takesBulk` said there was none.
   * @param on.failure Called once, when the socket takes no more.
   */
  constructor(
    socket: Pick<Deno.Conn, "write">,
    on: { room: () => void; failure: (reason: string) => void },
  ) {
    this.#socket = socket;
    this.#onRoom = on.room;
    this.#onFailure = on.failure;
  }

  push(octets: Uint8Array): void {
    if (this.#over) return;
    this.#pieces.push(octets);
    this.#waitingBytes += octets.length;
    this.#writing ??= this.#write();
  }

  /** Octets pushed and not yet taken by the socket. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Octets the socket took so far. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Whether a message may be pushed now; if not, `room` is called once it may. */
  takesBulk(): boolean {
    if (this.#over) return false;
    if (this.#waitingBytes < ROOM_BYTES) return true;
    this.#refusedBulk = true;
    return false;
  }

  get stalled(): boolean {
    return this.#waitingBytes >= STALL_BYTES;
  }

  /** Resolves when the peer reads again, or the outbox is closed. */
  async unstalled(): Promise<void> {
    while (this.stalled) {
      this.#stalled ??= Promise.withResolvers<void>();
      await this.#stalled.promise;
    }
  }

  /** Resolves once nothing waits any more, written or given up. */
  async drained(): Promise<void> {
    await this.#writing;
  }

  /** Writes no more than it is just writing. */
  close(): void {
    this.#over = true;
    this.#pieces = [];
    this.#waitingBytes = 0;
    this.#wake();
  }

  async #write(): Promise<void> {
    await undefined; // what is pushed in the same turn goes out in the same write
    try {
      while (this.#pieces.length > 0) {
        await this.#writeWhole(this.#gather());
        this.#wake();
      }
    } catch (error) {
      if (!this.#over) {
        this.close();
        this.#onFailure(error instanceof Error ? error.message : String(error));
      }
    } finally {
      this.#writing = undefined;
    }
  }

  #wake(): void {
    if (!this.stalled) {
      this.#stalled?.resolve();
      this.#stalled = undefined;
    }
    if (this.#refusedBulk && !this.#over && this.#waitingBytes < ROOM_BYTES) {
      this.#refusedBulk = false;
      this.#onRoom();
    }
  }

  /** Takes the next large piece, or as many small ones as fit into a batch. */
  #gather(): Uint8Array {
    let octets = 0;
    let count = 0;
    for (const piece of this.#pieces) {
      if (octets + piece.length > BATCH_BYTES) break;
      this.#batch.set(piece, octets);
      octets += piece.length;
      count++;
    }
    if (count <= 1) return this.#pieces.shift() ?? new Uint8Array();
    this.#pieces.splice(0, count);
    return this.#batch.subarray(0, octets);
  }

  async #writeWhole(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length;) {
      const written = await this.#socket.write(octets.subarray(at));
      at += written;
      this.#writtenBytes += written;
      if (this.#over) return;
      this.#waitingBytes -= written;
    }
  }
}
