/** The MQTT endpoint's reading of a socket: packets cut from the stream, and what is in them. */

import { FrameReader } from "../../../src/protocols/mqtt/frames.ts";
import { askedLevel, PacketReader } from "../../../src/protocols/mqtt/packets.ts";
import { type Decoder, hexLines, type Verdict } from "../decoder.ts";

const RECORDED = ["mosquitto_pub", "mosquitto_sub", "mqttjs", "paho"];
const LEVELS = [4, 5];
const MAX_PACKET_BYTES = 64 * 1024;

function readStream(bytes: Uint8Array): Verdict {
  const frames = new FrameReader(MAX_PACKET_BYTES);
  const packets = new PacketReader();
  for (let at = 0; at < bytes.length;) {
    const space = frames.space();
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    at += count;
    for (const cut of frames.take(count)) {
      if (cut.kind !== "frame") return "refused";
      askedLevel(cut.bytes);
      if ("malformed" in packets.read(cut.bytes)) return "refused";
    }
  }
  return "taken";
}

export const mqttPackets: Decoder = {
  name: "MQTT packets",
  // The reader's own room, which a connection has once, and one packet.
  boundBytes: 4 * MAX_PACKET_BYTES,
  seeds: async () => {
    const files = RECORDED.flatMap((name) => LEVELS.map((level) => `${name}-${level}`));
    return await Promise.all(files.map(async (name) => {
      const lines = await hexLines(
        new URL(`../../protocols/mqtt/frames/${name}.txt`, import.meta.url),
      );
      return Uint8Array.fromHex(lines.map((line) => line.toHex()).join(""));
    }));
  },
  decode: readStream,
};
