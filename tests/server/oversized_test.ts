/** Frames and messages beyond the limit of each wire, while all five wires are open. */

import assert from "node:assert/strict";
import { clientMessage, encodeClientMessage } from "../../src/contract/codec.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { dial as dialGrpc } from "../../src/protocols/grpc/client.ts";
import { ReasonCode } from "../../src/protocols/mqtt/wire.ts";
import type { ProtocolName } from "../../src/protocols/mod.ts";
import { CLOSE_CODES } from "../../src/protocols/quic/wire.ts";
import { RawClient as AmqpClient } from "../protocols/amqp/raw_client.ts";
import { Stranger as DdsStranger } from "../protocols/dds/stranger.ts";
import { RawClient as MqttClient } from "../protocols/mqtt/raw_client.ts";
import { framed, Stranger as QuicStranger } from "../protocols/quic/stranger.ts";
import { body, heartbeat, Peer } from "../support/peer.ts";
import { WebSocketStranger } from "../support/websocket_stranger.ts";
import { Siege } from "./siege.ts";

/** The largest message, unless configured. */
const LIMIT_BYTES = 524_288;
const TOO_LARGE = new Uint8Array(LIMIT_BYTES + 1);

const PART = body({ case: "updatePart", value: { bytes: TOO_LARGE } });
const PART_BYTES = encodeClientMessage(
  clientMessage({ clientId: "large", sequence: 1, body: PART }),
).length;

interface Oversized {
  readonly wire: ProtocolName;
  readonly reason: string;
  /** Says it, and hears the protocol's own error. */
  say(url: string): Promise<void>;
}

/** The head of a PUBLISH of a mebibyte (§2.1.4); nothing of it need follow. */
const PUBLISH_HEAD = Uint8Array.of(0x32, 0x80, 0x80, 0x40);

const OVERSIZED: Readonly<Record<string, Oversized>> = {
  "an MQTT 5 packet": {
    wire: "mqtt",
    reason: "large: a packet of 1048580 bytes is too large",
    async say(url) {
      await using client = await MqttClient.join(url, "large");
      await client.write(PUBLISH_HEAD);
      const { reasonCode } = await client.next("disconnect");
      assert.equal(reasonCode, ReasonCode.PACKET_TOO_LARGE);
    },
  },
  "an MQTT 3.1.1 packet": {
    wire: "mqtt",
    reason: "large: a packet of 1048580 bytes is too large",
    async say(url) {
      await using client = await MqttClient.join(url, "large", { level: 4 });
      const heard = client.heard.all.length;
      await client.write(PUBLISH_HEAD);
      await client.closed(); // it has no DISCONNECT from the server
      assert.equal(client.heard.all.length, heard);
    },
  },
  "an AMQP frame": {
    wire: "amqp",
    reason: "FRAME_ERROR - a frame of 5008 octets where 4096 were agreed",
    async say(url) {
      await using client = await AmqpClient.open(url, { frameMax: 4096 });
      await client.body(1, new Uint8Array(5000));
      assert.equal(await client.exception(), 501);
    },
  },
  "an AMQP message": {
    wire: "amqp",
    reason: `CONTENT_TOO_LARGE - a message of ${TOO_LARGE.length} bytes where 524288 are the limit`,
    async say(url) {
      await using client = await AmqpClient.open(url);
      await client.announce(1, "fl.up", "default.client-1");
      await client.header(1, TOO_LARGE.length);
      assert.equal((await client.expect("channel.close")).replyCode, 311);
    },
  },
  "a gRPC message": {
    wire: "grpc",
    reason: `Received message larger than max (${PART_BYTES} vs 524288); ` +
      "this server's maxMessageBytes is 524288",
    async say(url) {
      await using peer = await Peer.dial(dialGrpc, url, "large");
      await peer.send(PART).catch(() => {}); // cut off while it is sent
      assert.match(await peer.connection.lost, /RESOURCE_EXHAUSTED/);
    },
  },
  "a message on QUIC's control stream": {
    wire: "quic",
    reason: "A message of 4294967295 bytes is larger than 524288",
    async say(url) {
      await using stranger = await QuicStranger.connect(url);
      await stranger.bidirectional(framed("default"), new Uint8Array(4).fill(0xff));
      assert.equal((await stranger.conn.closed).closeCode, CLOSE_CODES[Verdict.OVERSIZED]);
    },
  },
  "a WebSocket message": {
    wire: "quic",
    reason: "A message of 1048576 bytes is larger than 524288",
    async say(url) {
      await using stranger = await WebSocketStranger.connect(url);
      const lengths = [0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4]; // and a mask
      await stranger.tcp.write(Uint8Array.from(lengths));
      assert.equal((await stranger.hearClose()).code, 1009); // RFC 6455 §7.4.1
    },
  },
  "a DDS sample": {
    wire: "dds",
    reason: `wrote ${TOO_LARGE.length} bytes, the limit is 524288`,
    async say(url) {
      await using stranger = new DdsStranger(url, { partition: "default/large", key: "large" });
      await Promise.all([stranger.heard(), stranger.answered()]);
      await stranger.write(clientMessage({ clientId: "large", sequence: 1, body: heartbeat() }));
      await stranger.next();
      await stranger.write(TOO_LARGE);
      await stranger.abandoned(); // the route is over: DDS has no error to answer with
    },
  },
};

for (const [what, { wire, reason, say }] of Object.entries(OVERSIZED)) {
  Deno.test(`${what} beyond the limit is refused in the protocol's own words, once in the log, and the federation goes on`, async () => {
    await using siege = await Siege.open();
    await say(siege.url(wire));
    await siege.refused(wire, 1);
    await siege.holds([{ wire, reason }]);
  });
}
