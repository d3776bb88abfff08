/** What the QUIC house reads itself: message streams, HTTP/3 requests, WebSocket upgrades and frames. */

import { FrameReader, writeFrame } from "../../../src/protocols/quic/frames.ts";
import { readFields } from "../../../src/protocols/quic/qpack.ts";
import { Tcp } from "../../../src/websocket/tcp.ts";
import { WebSocketLine } from "../../../src/websocket/line.ts";
import { HEAD_END, readUpgrade } from "../../../src/websocket/upgrade.ts";
import { WebSocketReader } from "../../../src/protocols/quic/websocket_reader.ts";
import { type Decoder, hexLines } from "../decoder.ts";

const MAX_MESSAGE_BYTES = 64 * 1024;

function recorded(name: string): URL {
  return new URL(`../../protocols/quic/frames/${name}`, import.meta.url);
}

function byteStream(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      if (bytes.length > 0) controller.enqueue(bytes.slice());
      controller.close();
    },
  });
}

export const lengthDelimited: Decoder = {
  name: "length-delimited stream",
  boundBytes: 2 * MAX_MESSAGE_BYTES,
  seeds: async () => {
    const chunks: Uint8Array[] = [];
    const stream = new WritableStream<Uint8Array>({ write: (chunk) => void chunks.push(chunk) });
    const writer = stream.getWriter();
    for (const length of [0, 1, 40, 300]) {
      await writeFrame(writer, new Uint8Array(length).fill(length));
    }
    return [new Uint8Array(chunks.flatMap((chunk) => [...chunk]))];
  },
  decode: async (bytes) => {
    const reader = new FrameReader(byteStream(bytes));
    for (;;) {
      const { kind } = await reader.next({ maxBytes: MAX_MESSAGE_BYTES });
      if (kind === "end") return "taken";
      if (kind !== "message") return "refused";
    }
  },
};

export const qpackSections: Decoder = {
  name: "QPACK field section",
  boundBytes: 64 * 1024,
  seeds: async () => {
    const files = ["chromium-156.hex", "aioquic-1.7.2.hex", "deno-2.9.6.hex"];
    return (await Promise.all(files.map((name) => hexLines(recorded(name))))).flat();
  },
  decode: (bytes) => readFields(bytes) === undefined ? "refused" : "taken",
};

export const upgrades: Decoder = {
  name: "WebSocket upgrade",
  boundBytes: 4096,
  seeds: async () => {
    const files = ["chromium-156", "deno-2.9.6", "websockets-17.4"];
    return await Promise.all(files.map(async (name) => {
      const text = await Deno.readTextFile(
        new URL(`../../websocket/frames/upgrade-${name}.txt`, import.meta.url),
      );
      const [head = ""] = text.split("\n\n");
      return new TextEncoder().encode(head.replaceAll("\n", "\r\n") + HEAD_END);
    }));
  },
  decode: (bytes) => {
    const [head = ""] = new TextDecoder("latin1").decode(bytes).split(HEAD_END);
    return typeof readUpgrade(head) === "string" ? "refused" : "taken";
  },
};

/** A connection on which these bytes come in, and then its end. */
function connectionWith(bytes: Uint8Array): Deno.TcpConn {
  let at = 0;
  const conn: Pick<Deno.TcpConn, "read" | "write" | "setNoDelay" | "close"> = {
    read: (into) => {
      const chunk = bytes.subarray(at, at + into.length);
      into.set(chunk);
      at += chunk.length;
      return Promise.resolve(chunk.length === 0 ? null : chunk.length);
    },
    write: ({ length }) => Promise.resolve(length),
    setNoDelay: () => {},
    close: () => {},
  };
  return conn as Deno.TcpConn;
}

/** A client's frame, masked with zeros. */
function frame(first: number, payload: Uint8Array): number[] {
  const { length } = payload;
  const lengths = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return [first, ...lengths, 0, 0, 0, 0, ...payload];
}

export const webSocketFrames: Decoder = {
  name: "WebSocket frames",
  boundBytes: 4 * MAX_MESSAGE_BYTES,
  seeds: () => [
    Uint8Array.from(frame(0x82, new Uint8Array(40))),
    Uint8Array.from([
      ...frame(0x02, new Uint8Array(20)), // a message in three frames, a ping between them
      ...frame(0x89, new Uint8Array(4)),
      ...frame(0x00, new Uint8Array(300)),
      ...frame(0x80, new Uint8Array(0)),
      ...frame(0x88, Uint8Array.of(0x03, 0xe8)),
    ]),
  ],
  decode: async (bytes) => {
    const tcp = new Tcp(connectionWith(bytes));
    const reader = new WebSocketReader(tcp, new WebSocketLine(tcp));
    for (let messages = 0;; messages++) {
      const { kind } = await reader.next({ maxBytes: MAX_MESSAGE_BYTES });
      if (kind !== "message") return kind === "end" || messages > 0 ? "taken" : "refused";
    }
  },
};
