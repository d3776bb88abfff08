/** Who does not speak TLS, or does not trust, is refused once and within a time; nobody else notices. */

import assert from "node:assert/strict";
import { ConnectionLost, type Dial } from "../../src/contract/connection.ts";
import { Verdict } from "../../src/contract/federation_pb.ts";
import type { ProtocolServer } from "../../src/contract/protocol_server.ts";
import type { ServerOptions } from "../../src/contract/server_options.ts";
import { dial as dialAmqp } from "../../src/protocols/amqp/client.ts";
import * as amqp from "../../src/protocols/amqp/options.ts";
import { AmqpServer } from "../../src/protocols/amqp/server.ts";
import { dial as dialGrpc } from "../../src/protocols/grpc/client.ts";
import * as grpc from "../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../src/protocols/grpc/server.ts";
import { dial as dialMqtt } from "../../src/protocols/mqtt/client.ts";
import * as mqtt from "../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../src/protocols/mqtt/server.ts";
import * as quic from "../../src/protocols/quic/options.ts";
import { QuicServer } from "../../src/protocols/quic/server.ts";
import { dial as dialWebSocket } from "../../src/protocols/quic/websocket_client.ts";
import { heartbeat, hello, Peer } from "../support/peer.ts";
import { ManualTimers } from "../support/manual_timers.ts";
import { ScriptedCoordinator } from "../support/scripted_coordinator.ts";
import { certificateFor, loopbackTls, trusting } from "../support/tls.ts";
import { serverOptions } from "./subject.ts";

interface Case {
  readonly make: (server: ServerOptions) => ProtocolServer;
  readonly dial: Dial;
  /** With `s` for TLS. */
  readonly scheme: string;
  /** grpc-js leaves timers where no connection comes about (grpc/client_test.ts): it comes last. */
  readonly leaves?: boolean;
}

const PORT = { port: 0 };
const LIMIT_MS = 10_000;

const cases: Readonly<Record<string, Case>> = {
  mqtt: {
    make: (server) =>
      new MqttServer(server, mqtt.options.parse({ ...PORT, connectTimeoutMs: LIMIT_MS })),
    dial: dialMqtt,
    scheme: "mqtt",
  },
  amqp: {
    make: (server) =>
      new AmqpServer(server, amqp.options.parse({ ...PORT, handshakeTimeoutMs: LIMIT_MS })),
    dial: dialAmqp,
    scheme: "amqp",
  },
  "quic by WebSocket": {
    make: (server) =>
      new QuicServer(server, quic.options.parse({ ...PORT, connectTimeoutMs: LIMIT_MS })),
    dial: dialWebSocket,
    scheme: "ws",
  },
  grpc: {
    make: (server) => new GrpcServer(server, grpc.options.parse(PORT)),
    dial: dialGrpc,
    scheme: "grpc",
    leaves: true,
  },
};

class Bench implements AsyncDisposable {
  readonly coordinator = new ScriptedCoordinator();
  readonly server: ProtocolServer;
  readonly #case: Case;
  #place = "";

  constructor(of: Case, { tls = loopbackTls, isPlain = false } = {}) {
    this.#case = of;
    const secure = { ...serverOptions("wire"), tls: { ...tls, handshakeTimeoutMs: LIMIT_MS } };
    this.server = of.make(isPlain ? serverOptions("wire") : secure);
  }

  async listen(): Promise<this> {
    const [address] = await this.server.listen(this.coordinator);
    const { host, pathname } = new URL(address?.url ?? "");
    this.#place = `${host}${pathname}`;
    return this;
  }

  url(suffix = "s"): string {
    return `${this.#case.scheme}${suffix}://${this.#place}`;
  }

  connect(): Promise<Deno.TcpConn> {
    const { hostname, port } = new URL(this.url());
    return Deno.connect({ hostname, port: Number(port) });
  }

  peer(clientId: string): Promise<Peer> {
    return Peer.dial(trusting(this.#case.dial), this.url(), clientId);
  }

  /** Why a peer was refused. */
  async refusal({ port }: Deno.NetAddr): Promise<string> {
    const isIts = (remote: string) => remote.endsWith(`:${port}`);
    const event = await this.coordinator.events.find((each) =>
      each.kind === "refused" && isIts(each.remote)
    );
    assert.ok(event.kind === "refused");
    return event.reason;
  }

  refusals(): number {
    return this.coordinator.events.all.filter(({ kind }) => kind === "refused").length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

/** Resolves when the other side has closed the connection, then closes this one. */
async function ended(conn: Deno.TcpConn): Promise<void> {
  try {
    for await (const _alert of conn.readable);
  } catch {
    // Reset is an end, too.
  }
}

for (const [wire, of] of Object.entries(cases)) {
  Deno.test(`${wire} over TLS refuses plain text once, and serves the others`, async () => {
    await using bench = await new Bench(of).listen();
    await using peer = await bench.peer("client-1");
    await peer.ask(hello());
    const conn = await bench.connect();
    const address = conn.localAddr as Deno.NetAddr;
    await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: here\r\n\r\n"));
    await ended(conn);
    assert.match(await bench.refusal(address), /InvalidContentType/);
    assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    assert.equal(bench.refusals(), 1);
  });

  Deno.test(`${wire} gives a handshake that is not finished up at its deadline, once`, async () => {
    await using bench = await new Bench(of).listen();
    await using peer = await bench.peer("client-1");
    await peer.ask(hello());
    let conn: Deno.TcpConn;
    {
      using timers = new ManualTimers();
      conn = await bench.connect();
      // RFC 8446 §5.1: a handshake record of 512 bytes, of which none comes.
      await conn.write(new Uint8Array([22, 3, 1, 2, 0]));
      await timers.some();
      timers.pass(2 * LIMIT_MS); // it may wait for the client to close, too
    }
    const address = conn.localAddr as Deno.NetAddr;
    await ended(conn);
    assert.match(await bench.refusal(address), /within 10000 ms/);
    assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    assert.equal(bench.refusals(), 1);
  });

  // grpc-js leaves timers where no connection comes about.
  const options = of.leaves ? { sanitizeOps: false, sanitizeResources: false } : {};

  Deno.test(
    `${wire}'s client does not take a certificate of nobody it trusts`,
    options,
    async () => {
      await using bench = await new Bench(of).listen();
      await assert.rejects(
        Peer.dial(of.dial, bench.url(), "client-1"),
        (error) => error instanceof ConnectionLost && /certificate/.test(error.message),
      );
    },
  );

  Deno.test(`${wire}'s client does not take a certificate for another host`, options, async () => {
    const tls = await certificateFor(["elsewhere.example.org"]);
    await using bench = await new Bench(of, { tls }).listen();
    await assert.rejects(
      bench.peer("client-1"),
      (error) => error instanceof ConnectionLost && /altnames|valid for name/i.test(error.message),
    );
  });

  Deno.test(
    `${wire}'s client finds no TLS on a plain port, whose others notice nothing`,
    options,
    async () => {
      await using bench = await new Bench(of, { isPlain: true }).listen();
      await using peer = await Peer.dial(of.dial, bench.url(""), "client-1");
      await peer.ask(hello());
      await assert.rejects(bench.peer("client-2"), ConnectionLost);
      assert.equal((await peer.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    },
  );
}
