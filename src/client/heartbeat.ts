/** Beats at an interval between start and stop. */
export class Heartbeat implements Disposable {
  readonly #beat: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(beat: () => void) {
    this.#beat = beat;
  }

  start(intervalMs: number): void {
    this.stop();
    this.#timer = setInterval(this.#beat, intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}
