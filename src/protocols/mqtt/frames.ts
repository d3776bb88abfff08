/**
 * Cuts a byte stream into MQTT control packets by their fixed headers (MQTT 5 and 3.1.1 §2), so
 * that a packet's length is judged before anything of it is buffered.
 */

/** What the stream held next: a whole packet, or the reason why nothing more can be read of it. */
export type Cut =
  /** `bytes` is the packet with its fixed header, in an ArrayBuffer of its own. */
  | { readonly kind: "frame"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "oversized"; readonly packetBytes: number }
  | { readonly kind: "malformed"; readonly detail: string };

/** First byte of CONNECT: type 1, flags 0 (§3.1.1). */
const CONNECT = 0x10;

const SCRATCH_BYTES = 64 * 1024;

/** A packet larger than this is read into its own buffer, so that its bytes are never moved. */
const SMALL_BYTES = SCRATCH_BYTES / 4;

/** The reader of one connection: fill `space()`, then `take` what that completed. */
export class FrameReader {
  readonly #maxPacketBytes: number;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  #from = 0;
  #to = 0;
  #large: Uint8Array<ArrayBuffer> | undefined;
  #largeFilled = 0;
  #started = false;
  #broken = false;

  /** @param maxPacketBytes Largest whole packet, fixed header included. */
  constructor(maxPacketBytes: number) {
    this.#maxPacketBytes = maxPacketBytes;
  }

  /** Where the next bytes belong; never empty. */
  space(): Uint8Array<ArrayBuffer> {
    return this.#large?.subarray(this.#largeFilled) ?? this.#scratch.subarray(this.#to);
  }

  /** What the first `count` bytes of the last `space()` completed. After a fault: nothing more. */
  take(count: number): Cut[] {
    if (this.#broken) return [];
    if (this.#large === undefined) {
      this.#to += count;
      return this.#cut();
    }
    this.#largeFilled += count;
    if (this.#largeFilled < this.#large.length) return [];
    const bytes = this.#large;
    this.#large = undefined;
    return [{ kind: "frame", bytes }];
  }

  #cut(): Cut[] {
    const cuts: Cut[] = [];
    while (this.#from < this.#to) {
      if (!this.#started && this.#scratch[this.#from] !== CONNECT) {
        // [MQTT-3.1.0-1], seen in the very first byte: whoever speaks another protocol hears so.
        return this.#fault(cuts, { kind: "malformed", detail: "the first packet is no CONNECT" });
      }
      this.#started = true;
      const header = fixedHeader(this.#scratch.subarray(this.#from, this.#to));
      if (header === "incomplete") break;
      if (header === "malformed") {
        return this.#fault(cuts, { kind: "malformed", detail: "a remaining length of five bytes" });
      }
      const packetBytes = header.headerBytes + header.remainingBytes;
      if (packetBytes > this.#maxPacketBytes) {
        return this.#fault(cuts, { kind: "oversized", packetBytes });
      }
      const end = this.#from + packetBytes;
      if (end > this.#to) {
        if (packetBytes > SMALL_BYTES) this.#openLarge(packetBytes);
        break;
      }
      cuts.push({ kind: "frame", bytes: this.#scratch.slice(this.#from, end) });
      this.#from = end;
    }
    this.#compact();
    return cuts;
  }

  #fault(cuts: Cut[], fault: Cut): Cut[] {
    this.#broken = true;
    this.#from = this.#to = 0;
    cuts.push(fault);
    return cuts;
  }

  #openLarge(packetBytes: number): void {
    this.#large = new Uint8Array(packetBytes);
    this.#large.set(this.#scratch.subarray(this.#from, this.#to));
    this.#largeFilled = this.#to - this.#from;
    this.#from = this.#to;
  }

  /** Keeps room for the rest of a small packet behind what is held of it. */
  #compact(): void {
    if (this.#from === this.#to) {
      this.#from = this.#to = 0;
    } else if (SCRATCH_BYTES - this.#from < SMALL_BYTES) {
      this.#scratch.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
  }
}

/** §2.1.1: one byte of type and flags, then the Remaining Length, 7 bits a byte, at most 4 bytes. */
function fixedHeader(
  bytes: Uint8Array,
): { headerBytes: number; remainingBytes: number } | "incomplete" | "malformed" {
  let remainingBytes = 0;
  for (let index = 1; index <= 4; index++) {
    const byte = bytes[index];
    if (byte === undefined) return "incomplete";
    remainingBytes += (byte & 0x7f) * 128 ** (index - 1);
    if ((byte & 0x80) === 0) return { headerBytes: index + 1, remainingBytes };
  }
  return "malformed";
}
