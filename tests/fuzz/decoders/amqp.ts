/** The AMQP endpoint's reading of a socket: frames, methods, content headers, field tables. */

import { AmqpException } from "../../../src/protocols/amqp/exceptions.ts";
import { readTable } from "../../../src/protocols/amqp/fields.ts";
import { FrameBuffer, FrameType } from "../../../src/protocols/amqp/frames.ts";
import { decodeMethod } from "../../../src/protocols/amqp/methods.ts";
import { OctetReader } from "../../../src/protocols/amqp/octets.ts";
import { decodeContentHeader } from "../../../src/protocols/amqp/properties.ts";
import { type Decoder, hexLines, type Verdict } from "../decoder.ts";

const RECORDED = ["pika-1.4.4", "aio-pika-10.2.1", "amqplib-2.3.1"];

/** What the endpoint offers. */
const FRAME_MAX_BYTES = 128 * 1024;

async function recordings(): Promise<Uint8Array<ArrayBuffer>[]> {
  return await Promise.all(RECORDED.map(async (name) => {
    const lines = await hexLines(
      new URL(`../../protocols/amqp/frames/${name}.hex`, import.meta.url),
    );
    return Uint8Array.fromHex(lines.map((line) => line.toHex()).join(""));
  }));
}

/** Reads a whole stream, its protocol header first. */
function readStream(bytes: Uint8Array): Verdict {
  const buffer = new FrameBuffer(FRAME_MAX_BYTES);
  let begun = false;
  for (let at = 0; at < bytes.length;) {
    const space = buffer.space();
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    buffer.filled(count);
    at += count;
    if (!begun) {
      const header = buffer.protocolHeader();
      if (header === undefined) continue;
      if (!header) return "refused";
      begun = true;
    }
    for (let frame = buffer.next(); frame !== undefined; frame = buffer.next()) {
      if (frame instanceof AmqpException || "fatal" in frame) return "refused";
      if (readPayload(frame.type, frame.payload) === "refused") return "refused";
    }
  }
  return begun ? "taken" : "refused";
}

function readPayload(type: number, payload: Uint8Array): Verdict {
  switch (type) {
    case FrameType.METHOD:
      return decodeMethod(payload) instanceof AmqpException ? "refused" : "taken";
    case FrameType.HEADER:
      return decodeContentHeader(payload) instanceof AmqpException ? "refused" : "taken";
    default:
      return "taken";
  }
}

export const amqpFrames: Decoder = {
  name: "AMQP frames",
  // The buffer, which a connection has once.
  boundBytes: 4 * FRAME_MAX_BYTES,
  seeds: recordings,
  decode: readStream,
};

export const amqpTables: Decoder = {
  name: "AMQP field table",
  boundBytes: 4096,
  seeds: () => [
    Uint8Array.fromHex("00000000"),
    // One field of each kind that RabbitMQ's clients write, a table and an array within.
    Uint8Array.fromHex(
      [
        ...["0000005f", "0162" + "7401", "0169" + "49fffffffe", "016c" + "6c0000000000000102"],
        ...[
          "0153" + "5300000003616263",
          "0154" + "540000000000000001",
          "0164" + "643ff0000000000000",
        ],
        ...["0146" + "4600000008" + "0178" + "5300000001" + "79"],
        ...["0141" + "4100000006" + "7401" + "730001" + "56", "0156" + "56"],
        "0178" + "7800000003" + "010203",
      ].join(""),
    ),
  ],
  decode: (bytes) => {
    try {
      readTable(new OctetReader(bytes));
      return "taken";
    } catch (error) {
      const isPromised = error instanceof RangeError || error instanceof SyntaxError ||
        error instanceof TypeError;
      if (isPromised) return "refused";
      throw error;
    }
  },
};
