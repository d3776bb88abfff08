/** Samples as they come off the network: CDR of whoever, through libddsc, to the house's reader. */

import { openCyclone, pointerAt } from "../../../src/protocols/dds/cyclone.ts";
import { Domain } from "../../../src/protocols/dds/domain.ts";
import { fetchLibrary } from "../../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../../src/protocols/dds/library.ts";
import { EnvelopeReader } from "../../../src/protocols/dds/reader.ts";
import { type Decoder, hexLines } from "../decoder.ts";

const MAX_BODY_BYTES = 64 * 1024;
/** Encoding and options, before every CDR; RTPS drops what is shorter. */
const HEADER_BYTES = 4;
/** enum ddsi_serdata_kind, SDK_DATA */
const DATA = 2;
/** Each broken client id is an instance, which lives as long as its writer. */
const SAMPLES_A_WRITER = 500;

/** What the product never does: make a sample of serialised bytes, as libddsc does for its sockets. */
const symbols = {
  dds_get_entity_sertype: { parameters: ["i32", "buffer"], result: "i32" },
  ddsi_serdata_from_ser_iov: {
    parameters: ["pointer", "i32", "usize", "buffer", "usize"],
    result: "pointer",
  },
  dds_forwardcdr: { parameters: ["i32", "pointer"], result: "i32" },
} as const;

// For good, as the product does, so that no test is blamed for it.
const library = findLibrary() ?? await fetchLibrary();
const cyclone = openCyclone(library);
const raw = Deno.dlopen(library, symbols).symbols;

/** A writer and the house's reader of its samples. */
class Loop implements AsyncDisposable {
  readonly #domain: Domain;
  readonly #reader: EnvelopeReader;
  #writer = 0;
  #written = 0;

  constructor() {
    this.#domain = Domain.createAny(cyclone, {
      number: 0,
      networkInterface: "127.0.0.1",
      port: undefined,
      peers: [],
      leaseMs: 60_000,
      maxSampleBytes: 2 * MAX_BODY_BYTES,
    });
    const entity = this.#domain.reader("fl_up", "fuzz", {});
    this.#reader = new EnvelopeReader(cyclone, entity, MAX_BODY_BYTES);
  }

  /** The samples that came of these bytes; undefined where libddsc takes them for none. */
  async pass(bytes: Uint8Array<ArrayBuffer>) {
    if (bytes.length < HEADER_BYTES) return undefined;
    if (this.#written++ % SAMPLES_A_WRITER === 0) await this.#renewWriter();
    const type = new BigUint64Array(1);
    raw.dds_get_entity_sertype(this.#writer, type);
    const vector = BigUint64Array.of(
      Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)),
      BigInt(bytes.length),
    );
    const { length } = bytes;
    const size = BigInt(length);
    const data = raw.ddsi_serdata_from_ser_iov(
      pointerAt(type[0] ?? 0n),
      DATA,
      1n,
      vector,
      size,
    );
    if (data === null) return undefined;
    if (raw.dds_forwardcdr(this.#writer, data) < 0) throw new Error("It cannot be written");
    return this.#reader.take();
  }

  async #renewWriter(): Promise<void> {
    if (this.#writer !== 0) await this.#domain.remove(this.#writer);
    this.#writer = this.#domain.writer("fl_up", "fuzz", {});
    while (this.#reader.take().length > 0); // the news of the old one's end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#domain[Symbol.asyncDispose]();
  }
}

let loop: Loop | undefined;

export const envelopes: Decoder = {
  name: "CDR envelope",
  boundBytes: 2 * MAX_BODY_BYTES,
  seeds: async () => {
    const files = ["hello.hex", "update_part.hex"];
    const read = (name: string) =>
      hexLines(new URL(`../../protocols/dds/frames/${name}`, import.meta.url));
    return await Promise.all(
      files.map(async (name) =>
        Uint8Array.fromHex((await read(name)).map((line) => line.toHex()).join(""))
      ),
    );
  },
  decode: async (bytes) => {
    const taken = await (loop ??= new Loop()).pass(bytes);
    return taken?.some(({ sample }) => sample?.body !== undefined) ? "taken" : "refused";
  },
  close: async () => {
    await loop?.[Symbol.asyncDispose]();
    loop = undefined;
  },
};
