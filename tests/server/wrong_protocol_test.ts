/** Clients of one protocol at the port of another one, while all five wires are open. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { ProtocolName } from "../../src/protocols/mod.ts";
import { Caller } from "../support/caller.ts";
import { AMQP, HTTP, HTTP2, MQTT, RTPS, TLS } from "../support/first_words.ts";
import { Stranger } from "../protocols/quic/stranger.ts";
import { Siege } from "./siege.ts";

interface Door {
  readonly wire: ProtocolName;
  readonly name: string;
  readonly words: Readonly<Record<string, Uint8Array>>;
  /** The protocol's own error. */
  answered(answer: Uint8Array): void;
  /** What the operator reads, each time. */
  readonly reason: string;
}

/** GOAWAY, which says PROTOCOL_ERROR of stream 0 (RFC 9113 §3.4 and §6.8). */
const GOAWAY = "000008" + "07" + "00" + "00000000" + "00000000" + "00000001";

const latin1 = new TextDecoder("latin1");

const DOORS: readonly Door[] = [
  {
    wire: "mqtt",
    name: "MQTT",
    words: { HTTP, HTTP2, AMQP, TLS, RTPS },
    // [MQTT-3.1.0-1]: the connection is closed; there is no packet before CONNECT that could say why.
    answered: (answer) => assert.equal(answer.length, 0),
    reason: "no MQTT CONNECT: the first packet is no CONNECT",
  },
  {
    wire: "amqp",
    name: "AMQP",
    words: { HTTP, HTTP2, MQTT, TLS, RTPS },
    // §4.2.2: the header of the protocol that is spoken here
    answered: (answer) => assert.equal(answer.toHex(), AMQP.toHex()),
    reason: "it does not speak AMQP 0-9-1",
  },
  {
    wire: "grpc",
    name: "gRPC",
    words: { HTTP, AMQP, MQTT, TLS, RTPS },
    answered: (answer) => assert.ok(answer.toHex().endsWith(GOAWAY), answer.toHex()),
    reason: "Received bad client magic byte string",
  },
  {
    wire: "quic",
    name: "WebSocket",
    words: { AMQP, MQTT, TLS, RTPS, HTTP2 },
    answered: (answer) => assert.match(latin1.decode(answer), /^HTTP\/1\.1 400 Bad Request\r\n/),
    reason: "The connection opens with no HTTP request",
  },
  {
    wire: "quic",
    name: "WebSocket's HTTP",
    words: { HTTP },
    answered: (answer) => assert.match(latin1.decode(answer), /^HTTP\/1\.1 400 Bad Request\r\n/),
    reason: "The request is not for a WebSocket",
  },
];

for (const { wire, name, words, answered, reason } of DOORS) {
  const names = Object.keys(words);
  Deno.test(`the ${name} port answers ${names.join(", ")} with its own error, and the operator reads of each once`, async () => {
    await using siege = await Siege.open();
    for (const word of Object.values(words)) {
      using caller = await Caller.call(siege.url(wire), word);
      answered(await caller.answer());
    }
    await siege.refused(wire, names.length);
    await siege.holds(names.map(() => ({ wire, reason })));
  });
}

function noise(numRuns: number, maxLength: number): Uint8Array[] {
  const bytes = fc.uint8Array({ minLength: 1, maxLength, size: "max" });
  return fc.sample(bytes, { numRuns, seed: 1 });
}

/** What nobody can have meant: for QUIC, RTPS, or both. */
const NOISE: readonly Uint8Array[] = [
  ...[HTTP, HTTP2, AMQP, MQTT, TLS, RTPS],
  // A version of QUIC's in a packet too short for a first one (RFC 9000 §14.1).
  Uint8Array.of(0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0),
  // Of no connection: a long header would be asked for its version.
  ...noise(50, 1400).map(([first = 0, ...rest]) => Uint8Array.of(first & 0x7f, ...rest)),
  ...noise(3, 40).map( // libddsc writes a line on stderr for each
    (submessages) => Uint8Array.from([...RTPS, ...submessages]),
  ),
];

function udpSocket(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}

Deno.test("UDP noise gets no answer from QUIC and DDS, costs no line in the log, and stops nobody", async () => {
  await using siege = await Siege.open();
  using stack = new DisposableStack();
  const socket = stack.adopt(udpSocket(), (each) => each.close());
  for (const wire of ["quic", "dds"] as const) {
    const { hostname, port } = new URL(siege.url(wire));
    // RTPS 2.5 §9.6.2.3: discovery on the port in the address, samples on the next one.
    for (const to of wire === "dds" ? [Number(port), Number(port) + 1] : [Number(port)]) {
      for (const noise of NOISE) await socket.send(noise, { transport: "udp", hostname, port: to });
    }
  }
  await siege.holds([]);
  // An answer would have come before this.
  await socket.send(Uint8Array.of(42), socket.addr);
  const [first] = await socket.receive();
  assert.deepEqual([...first], [42]);
});

Deno.test("QUIC answers a version that it does not speak with Version Negotiation (RFC 9000 §6)", async () => {
  await using siege = await Siege.open();
  using stack = new DisposableStack();
  const socket = stack.adopt(udpSocket(), (each) => each.close());
  const packet = new Uint8Array(1200);
  const [destination, source] = [[8, 1, 2, 3, 4, 5, 6, 7, 8], [8, 8, 7, 6, 5, 4, 3, 2, 1]];
  packet.set([0xc0, 0x1a, 0x2a, 0x3a, 0x4a, ...destination, ...source]);
  const { hostname, port } = new URL(siege.url("quic"));
  await socket.send(packet, { transport: "udp", hostname, port: Number(port) });
  const [answer] = await socket.receive();
  assert.ok((answer[0] ?? 0) & 0x80, "it has a long header");
  const addressed = [0, 0, 0, 0, ...source, ...destination]; // version 0, and both ids turned round
  assert.deepEqual([...answer.subarray(1, 1 + addressed.length)], addressed);
  assert.ok(answer.subarray(1 + addressed.length).toHex().includes("00000001"), "QUIC version 1");
  await siege.holds([]);
});

Deno.test("QUIC answers another ALPN with no_application_protocol, and the operator reads of it once", async () => {
  await using siege = await Siege.open();
  const heard: string[] = [];
  for (const alpnProtocol of ["http/0.9", "mqtt"]) {
    await Stranger.connect(siege.url("quic"), { alpnProtocol }).catch(({ message }) => {
      heard.push(message);
    });
  }
  // RFC 9001 §8.1: CRYPTO_ERROR with TLS's alert 120
  for (const message of heard) assert.match(message, /error 120/);
  assert.equal(heard.length, 2);
  await siege.refused("quic", 2);
  const reason = "No QUIC handshake: the cryptographic handshake failed: " +
    "error 120: peer doesn't support any known protocol";
  await siege.holds(heard.map(() => ({ wire: "quic", reason })));
});
