import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Packet } from "mqtt-packet";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { Answer, Route } from "../../../src/contract/protocol_server.ts";
import type { Endpoint } from "../../../src/protocols/mqtt/endpoint.ts";
import { NetworkConnection } from "../../../src/protocols/mqtt/network_connection.ts";
import type { Session } from "../../../src/protocols/mqtt/session.ts";
import type { Refusal } from "../../../src/protocols/mqtt/wire.ts";
import { answer, ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { heartbeatBytes, willBytes } from "./endpoint_bench.ts";
import { ManualClock } from "./manual_clock.ts";
import { MemorySocket } from "./memory_socket.ts";

/** One connection on a socket and a clock of the test's. */
class Conversation {
  readonly coordinator = new ScriptedCoordinator();
  readonly clock = new ManualClock();
  readonly socket = new MemorySocket();
  readonly sessions: Session[] = [];
  readonly connection: NetworkConnection;
  enrolment: Route | Refusal = { wire: "mqtt", id: 1 };
  up = 0;
  down = 0;

  constructor({ maxUnjudgedBytes = 10_000 } = {}) {
    const endpoint: Endpoint = {
      terms: {
        federation: "default",
        maxMessageBytes: 1000,
        receiveMaximum: 100,
        silenceLimitMs: 30_000,
      },
      maxUnjudgedBytes,
      connectTimeoutMs: 5000,
      upcalls: this.coordinator,
      state: new Uint8Array(0),
      enrol: () => this.enrolment,
      open: (session) => this.sessions.push(session),
      strike: (session) => this.sessions.splice(this.sessions.indexOf(session), 1),
      count: (direction, bytes) => this[direction] += bytes,
    };
    const { clock } = this;
    this.connection = new NetworkConnection(this.socket, { endpoint, remote: "peer", clock });
  }

  /** Connects with a Keep Alive of 10 s and a will. */
  async connect(): Promise<void> {
    const payload = Buffer.from(willBytes("client-1"));
    const topic = "fl/default/up/client-1";
    this.socket.say({
      cmd: "connect",
      clientId: "client-1",
      protocolVersion: 5,
      keepalive: 10,
      will: { topic, payload, qos: 1, retain: false },
    });
    await this.heard("connack");
  }

  async heard(cmd: Packet["cmd"]): Promise<Packet> {
    return await this.socket.heard.find((packet) => packet.cmd === cmd);
  }

  publish(messageId: number): void {
    const payload = Buffer.from(heartbeatBytes("client-1", messageId));
    const topic = "fl/default/up/client-1";
    const publish = { cmd: "publish", topic, payload, qos: 1, messageId } as const;
    this.socket.say({ ...publish, dup: false, retain: false });
  }

  /** What the coordinator heard, in short. */
  get arrivals(): string[] {
    return this.coordinator.arrivals.all.map((arrival) =>
      arrival.kind === "message" ? String(arrival.message.body.case) : arrival.kind
    );
  }

  get events(): string[] {
    return this.coordinator.events.all.map(({ kind }) => kind);
  }
}

Deno.test("NetworkConnection ends when no CONNECT comes in time, and says so once", async () => {
  const conversation = new Conversation();
  conversation.socket.sayBytes(Uint8Array.of(0x10)); // half a header is no CONNECT
  conversation.clock.pass(5000);
  conversation.clock.pass(1000); // the peer does not close its half either
  await conversation.connection.ended;
  assert.ok(conversation.socket.closed);
  assert.deepEqual(conversation.events, ["refused"]);
  assert.deepEqual(conversation.arrivals, []);
  assert.equal(conversation.clock.alarms, 0);
});

Deno.test("NetworkConnection gives a silent client up at 1.5 times its Keep Alive", async () => {
  const conversation = new Conversation();
  await conversation.connect();
  conversation.clock.pass(14_999);
  assert.deepEqual(conversation.arrivals, []);
  conversation.clock.pass(1);
  const disconnect = await conversation.heard("disconnect");
  assert.equal(disconnect.cmd === "disconnect" && disconnect.reasonCode, 0x8d);
  assert.deepEqual(conversation.arrivals, ["leave", "detached"]);
  conversation.socket.end();
  await conversation.connection.ended;
  assert.deepEqual(conversation.events, ["connected", "disconnected"]);
  assert.equal(conversation.clock.alarms, 0);
});

Deno.test("NetworkConnection finds any byte a sign of life", async () => {
  const conversation = new Conversation();
  await conversation.connect();
  // A PUBLISH that comes byte by byte, each just in time, is not complete for minutes.
  for (const byte of [0x30, 0x0a, 0x00, 0x04]) {
    const { length } = conversation.socket.reads.all;
    conversation.clock.pass(14_000);
    conversation.socket.sayBytes(Uint8Array.of(byte));
    await conversation.socket.reads.find(() => true, length);
  }
  assert.deepEqual(conversation.arrivals, []);
  conversation.socket.end();
  await conversation.connection.ended;
});

Deno.test("NetworkConnection does not read beyond what may be unjudged, nor count that silence", async () => {
  const conversation = new Conversation({ maxUnjudgedBytes: 500 });
  const verdict = Promise.withResolvers<Answer>();
  conversation.coordinator.judge = () => verdict.promise;
  await conversation.connect();
  conversation.publish(1); // with its costs more than 500 bytes
  await conversation.coordinator.message("client-1");
  const { length } = conversation.socket.reads.all;
  conversation.publish(2);
  conversation.clock.pass(60_000);
  assert.equal(conversation.socket.reads.all.length, length);
  assert.deepEqual(conversation.arrivals, ["heartbeat"]);
  verdict.resolve(answer(1, Verdict.ACCEPTED));
  await conversation.coordinator.message("client-1", ({ sequence }) => sequence === 2);
  conversation.socket.end();
  await conversation.connection.ended;
});

Deno.test("NetworkConnection ends although the coordinator never judges", async () => {
  const conversation = new Conversation({ maxUnjudgedBytes: 500 });
  conversation.coordinator.judge = () => new Promise(() => {});
  await conversation.connect();
  conversation.publish(1);
  await conversation.coordinator.message("client-1");
  const ended = conversation.connection.shutDown();
  conversation.socket.end();
  await ended;
  assert.deepEqual(conversation.arrivals, ["heartbeat"]); // no will, no detached: our own wish
});

Deno.test("NetworkConnection.shutDown() lingers a second at most for a deaf peer", async () => {
  const conversation = new Conversation();
  await conversation.connect();
  const ended = conversation.connection.shutDown();
  await conversation.heard("disconnect");
  assert.ok(!conversation.socket.closed);
  conversation.clock.pass(1000);
  await ended;
  assert.ok(conversation.socket.closed);
  assert.equal(conversation.clock.alarms, 0);
});

Deno.test("NetworkConnection survives any bytes after CONNECT, and detaches once", async () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(pieces, async (list) => {
      const conversation = new Conversation();
      await conversation.connect();
      for (const bytes of list) conversation.socket.sayBytes(bytes);
      conversation.socket.end();
      await conversation.connection.ended;
      const detached = conversation.arrivals.filter((kind) => kind === "detached");
      assert.equal(detached.length, 1);
      assert.equal(conversation.arrivals.at(-1), "detached");
      assert.equal(conversation.clock.alarms, 0);
    }),
  );
});

Deno.test("NetworkConnection counts every byte both ways", async () => {
  const conversation = new Conversation();
  await conversation.connect();
  conversation.socket.sayBytes(Uint8Array.of(0xc0, 0));
  await conversation.heard("pingresp");
  const { up, down } = conversation;
  conversation.socket.sayBytes(Uint8Array.of(0xc0, 0));
  await conversation.socket.heard.some(2, ({ cmd }) => cmd === "pingresp");
  assert.deepEqual([conversation.up - up, conversation.down - down], [2, 2]);
  conversation.socket.end();
  await conversation.connection.ended;
});
