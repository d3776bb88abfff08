/** Reads and writes the elementary types of AMQP 0-9-1, big-endian and unaligned (§4.2.5). */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const utf8Encoder = new TextEncoder();

/** Walks over octets. Every method throws a RangeError where the octets end too early. */
export class OctetReader {
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  get left(): number {
    return this.#octets.length - this.#at;
  }

  #pass(count: number): number {
    if (count > this.left) {
      throw new RangeError(`Cannot read ${count} octets: ${this.left} are left`);
    }
    const from = this.#at;
    this.#at += count;
    return from;
  }

  uint8(): number {
    return this.#view.getUint8(this.#pass(1));
  }

  int8(): number {
    return this.#view.getInt8(this.#pass(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#pass(2));
  }

  int16(): number {
    return this.#view.getInt16(this.#pass(2));
  }

  uint32(): number {
    return this.#view.getUint32(this.#pass(4));
  }

  int32(): number {
    return this.#view.getInt32(this.#pass(4));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#pass(8));
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#pass(8));
  }

  float32(): number {
    return this.#view.getFloat32(this.#pass(4));
  }

  float64(): number {
    return this.#view.getFloat64(this.#pass(8));
  }

  /** A view, not a copy: own it before it is kept. */
  octets(count: number): Uint8Array {
    const from = this.#pass(count);
    return this.#octets.subarray(from, from + count);
  }

  /** @throws {TypeError} when the octets are not UTF-8. */
  shortstr(): string {
    return utf8.decode(this.octets(this.uint8()));
  }

  /** Any octets (§4.2.5.3): what they mean is up to the field. Copied. */
  longstr(): Uint8Array {
    return this.octets(this.uint32()).slice();
  }
}

/** Grows as it is written to. */
export class OctetWriter {
  #octets = new Uint8Array(128);
  #view = new DataView(this.#octets.buffer);
  #at = 0;

  get length(): number {
    return this.#at;
  }

  /** Makes room for `count` octets and returns where they begin. */
  #pass(count: number): number {
    const from = this.#at;
    this.#at += count;
    if (this.#at > this.#octets.length) {
      const grown = new Uint8Array(Math.max(this.#at, this.#octets.length * 2));
      grown.set(this.#octets.subarray(0, from));
      this.#octets = grown;
      this.#view = new DataView(grown.buffer);
    }
    return from;
  }

  uint8(value: number): void {
    const at = this.#pass(1);
    this.#view.setUint8(at, value);
  }

  int8(value: number): void {
    const at = this.#pass(1);
    this.#view.setInt8(at, value);
  }

  uint16(value: number): void {
    const at = this.#pass(2);
    this.#view.setUint16(at, value);
  }

  int16(value: number): void {
    const at = this.#pass(2);
    this.#view.setInt16(at, value);
  }

  uint32(value: number): void {
    const at = this.#pass(4);
    this.#view.setUint32(at, value);
  }

  int32(value: number): void {
    const at = this.#pass(4);
    this.#view.setInt32(at, value);
  }

  uint64(value: bigint): void {
    const at = this.#pass(8);
    this.#view.setBigUint64(at, value);
  }

  int64(value: bigint): void {
    const at = this.#pass(8);
    this.#view.setBigInt64(at, value);
  }

  float32(value: number): void {
    const at = this.#pass(4);
    this.#view.setFloat32(at, value);
  }

  float64(value: number): void {
    const at = this.#pass(8);
    this.#view.setFloat64(at, value);
  }

  octets(value: Uint8Array): void {
    const at = this.#pass(value.length);
    this.#octets.set(value, at);
  }

  /** @throws {RangeError} beyond 255 octets of UTF-8. */
  shortstr(value: string): void {
    const octets = utf8Encoder.encode(value);
    if (octets.length > 255) {
      throw new RangeError(`Cannot write a shortstr of ${octets.length} octets: 255 is the limit`);
    }
    this.uint8(octets.length);
    this.octets(octets);
  }

  longstr(value: Uint8Array): void {
    this.uint32(value.length);
    this.octets(value);
  }

  /** Overwrites a uint32 written before, for lengths known only afterwards. */
  patchUint32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  /** A view of what was written; write nothing more. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#octets.subarray(0, this.#at);
  }
}
