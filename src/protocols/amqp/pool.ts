/** Bytes that are held together within a bound, e.g. by all queues, and who is told when they run out. */

/** Publishers are told that there is room again once so much of it is free. */
const RELIEF = 0.8;

export class Pool {
  readonly #limitBytes: number;
  readonly #onChange: (full: boolean) => void;
  #heldBytes = 0;
  #full = false;

  /** @param onChange Called when the pool becomes full, and when it is relieved. */
  constructor(limitBytes: number, onChange: (full: boolean) => void) {
    this.#limitBytes = limitBytes;
    this.#onChange = onChange;
  }

  /** False where the bytes do not fit: then nothing was taken. */
  take(bytes: number): boolean {
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > this.#limitBytes) {
      if (!this.#full) {
        this.#full = true;
        this.#onChange(true);
      }
      return false;
    }
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
    if (this.#full && this.#heldBytes <= this.#limitBytes * RELIEF) {
      this.#full = false;
      this.#onChange(false);
    }
  }
}
