/** Connections that are begun and not gone on with, on every wire at once. */

import assert from "node:assert/strict";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { ProtocolName } from "../../src/protocols/mod.ts";
import { CLOSE_CODES } from "../../src/protocols/quic/wire.ts";
import { Stranger } from "../protocols/quic/stranger.ts";
import { Caller } from "../support/caller.ts";
import { AMQP, HTTP, HTTP2, MQTT } from "../support/first_words.ts";
import { type Logged, Siege } from "./siege.ts";

/** gRPC's own pings tell after three of these. */
const HEARTBEAT_MS = 2000;
/** So long may a connection take to begin: also one of a test that stands still for a while. */
const BEGINNING_MS = 3 * HEARTBEAT_MS;

interface HalfOpen {
  readonly wire: ProtocolName;
  readonly said: readonly Uint8Array[];
  readonly reason: string;
  /** How the answer ends, in latin1. */
  readonly answered: RegExp;
}

const NOTHING = /^$/;

/** Over TCP: what is said, and that is all. */
const HALF_OPEN: readonly HalfOpen[] = [
  ...[[], [MQTT.subarray(0, 9)]].map((said): HalfOpen => ({
    wire: "mqtt",
    said,
    reason: `no CONNECT came within ${BEGINNING_MS} ms`,
    answered: NOTHING, // §4.8 of MQTT: there is no session that could be told
  })),
  ...[[], [AMQP.subarray(0, 2)], [AMQP]].map((said): HalfOpen => ({
    wire: "amqp",
    said,
    reason: `it was not open within ${BEGINNING_MS} ms`,
    // §2.2.4: silence before connection.open; to a whole header, connection.start
    answered: said[0] === AMQP ? /PLAIN.*en_US/s : NOTHING,
  })),
  ...[[], [HTTP2.subarray(0, 10)], [HTTP2]].map((said): HalfOpen => ({
    wire: "grpc",
    said,
    reason: "Silent for 3 heartbeat intervals",
    answered: /./s, // SETTINGS and PINGs
  })),
  ...[[], [HTTP.subarray(0, 20)]].map((said): HalfOpen => ({
    wire: "quic",
    said,
    reason: `No message came within ${BEGINNING_MS} ms`,
    answered: /^HTTP\/1\.1 400 Bad Request\r\n/,
  })),
];

/** What a QUIC client says first to the server of an address: its Initial packet (RFC 9000 §17.2.2). */
async function firstPacket(url: string): Promise<Uint8Array<ArrayBuffer>> {
  using stack = new DisposableStack();
  const udp = { transport: "udp", hostname: "127.0.0.1", port: 0 } as const;
  const socket = stack.adopt(Deno.listenDatagram(udp), (each) => each.close());
  const elsewhere = new URL(url);
  elsewhere.port = String((socket.addr as Deno.NetAddr).port);
  const lost = assert.rejects(Stranger.connect(elsewhere.href, { maxIdleTimeout: 1000 }));
  const [packet] = await socket.receive();
  await lost;
  return packet;
}

Deno.test("half-open connections end by each protocol's own means, once in the log, and the federation goes on", async () => {
  await using siege = await Siege.open({
    "heartbeat-interval-ms": String(HEARTBEAT_MS),
    "mqtt-connect-timeout-ms": String(BEGINNING_MS),
    "amqp-handshake-timeout-ms": String(BEGINNING_MS),
    "quic-connect-timeout-ms": String(BEGINNING_MS),
  });
  const logged: Logged[] = [];
  const over = HALF_OPEN.map(async ({ wire, said, reason, answered }) => {
    using caller = await Caller.call(siege.url(wire), ...said);
    logged.push({ wire, reason });
    assert.match(new TextDecoder("latin1").decode(await caller.answer()), answered);
  });
  const quic = (async () => {
    await using stranger = await Stranger.connect(siege.url("quic")); // and no stream
    const reason = `No message came within ${BEGINNING_MS} ms`;
    logged.push({ wire: "quic", reason });
    const { closeCode, reason: heard } = await stranger.conn.closed;
    assert.deepEqual([closeCode, heard], [CLOSE_CODES[Verdict.MALFORMED], reason]);
  })();
  const handshake = (async () => {
    using stack = new DisposableStack();
    const udp = { transport: "udp", hostname: "127.0.0.1" } as const;
    const socket = stack.adopt(Deno.listenDatagram({ ...udp, port: 0 }), (each) => each.close());
    await socket.send(await firstPacket(siege.url("quic")), {
      ...udp,
      port: Number(new URL(siege.url("quic")).port),
    });
    logged.push({ wire: "quic", reason: "No QUIC handshake: timed out" });
    const [answer] = await socket.receive(); // the server's half of the handshake: not answered
    assert.ok((answer[0] ?? 0) & 0x80, "it has a long header");
  })();
  await Promise.all([...over, quic, handshake]);
  for (const wire of ["mqtt", "amqp", "grpc", "quic"] as const) {
    await siege.refused(wire, logged.filter((each) => each.wire === wire).length);
  }
  await siege.holds(logged);
});
