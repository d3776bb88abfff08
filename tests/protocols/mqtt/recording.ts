/** What a stock client said, as frames/README.md describes it. */

import assert from "node:assert/strict";
import { FrameReader } from "../../../src/protocols/mqtt/frames.ts";
import { type Packet, PacketReader } from "../../../src/protocols/mqtt/packets.ts";
import { recordedLines } from "../recorded_session.ts";

/** The bytes of each read. */
export function recorded(name: string): Uint8Array<ArrayBuffer>[] {
  return recordedLines("mqtt", name).map((line) => Uint8Array.fromHex(line));
}

/** The packets in a stream of bytes, cut anyhow. */
export function packetsOf(chunks: readonly Uint8Array[]): Packet[] {
  const frames = new FrameReader(1_000_000);
  const packets = new PacketReader();
  const read: Packet[] = [];
  for (const bytes of chunks) {
    frames.space().set(bytes);
    for (const cut of frames.take(bytes.length)) {
      assert.ok(cut.kind === "frame");
      const packet = packets.read(cut.bytes);
      assert.ok(!("malformed" in packet), JSON.stringify(packet));
      read.push(packet);
    }
  }
  return read;
}
