/** A peer that writes HTTP/2 frames by hand: what no library would send. */

import { ca } from "../../support/tls.ts";

/** RFC 9113 §6. */
export const Frame = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
} as const;

export interface ReadFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

export const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const END_HEADERS = 4;
const HEAD_BYTES = 9; // RFC 9113 §4.1

export function frame(
  type: number,
  { flags = 0, stream = 0, payload = [] as ArrayLike<number> } = {},
): Uint8Array {
  const { length } = payload;
  const bytes = new Uint8Array(HEAD_BYTES + length);
  bytes.set([length >> 16, length >> 8 & 0xff, length & 0xff, type, flags, 0, 0, 0, stream]);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** A request for a gRPC method, RFC 7541 literals without indexing. */
export function request(path: string, extra: Record<string, string> = {}): Uint8Array {
  const fields = [0x83, 0x86]; // :method POST, :scheme http
  const headers = { "content-type": "application/grpc", te: "trailers", ...extra };
  for (const [name, value] of Object.entries({ ":path": path, ":authority": "a", ...headers })) {
    fields.push(0, ...text(name), ...text(value));
  }
  return frame(Frame.headers, { flags: END_HEADERS, stream: 1, payload: fields });
}

/** The answer's headers: `:status 200`, and no end yet. */
export function respond(): Uint8Array {
  const payload = [0x88, 0, ...text("content-type"), ...text("application/grpc")];
  return frame(Frame.headers, { flags: END_HEADERS, stream: 1, payload });
}

export function goaway(code: number): Uint8Array {
  return frame(Frame.goaway, { payload: [0, 0, 0, 0, 0, 0, 0, code] });
}

function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)];
}

export class Stranger implements Disposable {
  readonly #conn: Deno.Conn;
  #rest = new Uint8Array();
  #skipBytes: number;
  #closed = false;

  /** @param options.skipBytes What comes before the first frame: a client's preface. */
  constructor(conn: Deno.Conn, { skipBytes = 0 } = {}) {
    this.#conn = conn;
    this.#skipBytes = skipBytes;
  }

  /** Connects to a server's URL and says nothing yet. */
  static async connect(url: string): Promise<Stranger> {
    const { hostname, port, protocol } = new URL(url);
    const address = { hostname, port: Number(port) };
    if (protocol === "grpc:") return new Stranger(await Deno.connect(address));
    const alpnProtocols = ["h2"];
    return new Stranger(await Deno.connectTls({ ...address, alpnProtocols, caCerts: [ca] }));
  }

  async write(...pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) at += await this.#conn.write(piece.subarray(at));
    }
  }

  /** The next frame of a type; undefined where the connection ends before. */
  async frame(type: number): Promise<ReadFrame | undefined> {
    for (;;) {
      const next = await this.#next();
      if (next === undefined || next.type === type) return next;
    }
  }

  /** Resolves when the other side has closed the connection. */
  async closed(): Promise<void> {
    while (await this.#next() !== undefined);
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }

  async #next(): Promise<ReadFrame | undefined> {
    for (;;) {
      if (this.#rest.length >= this.#skipBytes) {
        this.#rest = this.#rest.slice(this.#skipBytes);
        this.#skipBytes = 0;
      }
      const [high = 0, middle = 0, low = 0, type = 0, flags = 0] = this.#rest;
      const end = HEAD_BYTES + (high << 16 | middle << 8 | low);
      if (this.#skipBytes === 0 && this.#rest.length >= end) {
        const payload = this.#rest.slice(HEAD_BYTES, end);
        const stream = this.#rest[HEAD_BYTES - 1] ?? 0;
        this.#rest = this.#rest.slice(end);
        return { type, flags, stream, payload };
      }
      const buffer = new Uint8Array(65_536);
      const count = await this.#conn.read(buffer).catch(() => null); // reset is an end, too
      if (count === null) return undefined;
      const joined = new Uint8Array(this.#rest.length + count);
      joined.set(this.#rest);
      joined.set(buffer.subarray(0, count), this.#rest.length);
      this.#rest = joined;
    }
  }
}
