import assert from "node:assert/strict";
import { TlsError } from "../../src/contract/tls.ts";
import { listenOn } from "../../src/contract/tls_conn.ts";
import type { StreamConn } from "../../src/contract/tls.ts";
import { ca, loopbackTls } from "../support/tls.ts";

const address = { hostname: "127.0.0.1", port: 0 };
const MIB = 1024 * 1024;
/** More than the system keeps on the way. */
const MUCH_BYTES = 64 * MIB;

/** Both ends of one connection, its handshake done. */
async function pair(): Promise<{ server: StreamConn; client: Deno.TlsConn } & Disposable> {
  const listener = listenOn(address, loopbackTls);
  const { hostname, port } = listener.addr;
  const [server, client] = await Promise.all([
    listener.accept(),
    Deno.connectTls({ hostname, port, caCerts: [ca] }),
  ]);
  listener.close();
  await Promise.all([client.handshake(), server.write(new Uint8Array([1]))]);
  await client.read(new Uint8Array(1));
  return {
    server,
    client,
    [Symbol.dispose]: () => {
      server.close();
      client.close();
    },
  };
}

Deno.test("TlsServerConn carries bytes both ways, and the end of either", async () => {
  using ends = await pair();
  const { server, client } = ends;
  await client.write(new Uint8Array([1, 2, 3]));
  const into = new Uint8Array(2);
  assert.equal(await server.read(into), 2);
  assert.deepEqual([...into], [1, 2]);
  assert.equal(await server.read(into), 1);
  assert.equal(await server.write(new Uint8Array(100_000).fill(7)), 100_000);
  await server.closeWrite();
  let length = 0;
  for (const room = new Uint8Array(MIB);;) {
    const count = await client.read(room);
    if (count === null) break;
    length += count;
  }
  assert.equal(length, 100_000);
  await client.closeWrite();
  assert.equal(await server.read(into), null);
});

Deno.test("TlsServerConn reads no further than somebody takes, and its client's writes wait", async () => {
  using ends = await pair();
  const { server, client } = ends;
  let written = 0;
  const writing = (async () => {
    for (const chunk = new Uint8Array(MIB); written < MUCH_BYTES;) {
      written += await client.write(chunk);
    }
  })();
  const into = new Uint8Array(64 * 1024);
  // However far the client gets, it is not far ahead of what is taken.
  for (let taken = 0; taken < MUCH_BYTES;) {
    const count = await server.read(into) ?? 0;
    assert.notEqual(count, 0);
    taken += count;
    assert.ok(written - taken < 16 * MIB, `${written - taken} bytes ahead`);
  }
  await writing;
});

Deno.test("TlsServerConn's writes wait for a client that does not read, until it is closed", async () => {
  using ends = await pair();
  const { server, client } = ends;
  let written = 0;
  const writing = (async () => {
    for (const chunk = new Uint8Array(MIB);;) written += await server.write(chunk);
  })();
  // Bytes the other way pass meanwhile.
  await client.write(new Uint8Array([5]));
  assert.equal(await server.read(new Uint8Array(1)), 1);
  server.close();
  await assert.rejects(writing);
  assert.ok(written < MUCH_BYTES, `${written} bytes`);
});

Deno.test("TlsServerConn can be closed before its handshake is over", async () => {
  const listener = listenOn(address, loopbackTls);
  const { hostname, port } = listener.addr;
  using client = await Deno.connect({ hostname, port });
  const server = await listener.accept();
  listener.close();
  const reading = server.read(new Uint8Array(1));
  const ending = server.closeWrite();
  server.close();
  server.close();
  assert.equal(await reading, null);
  await ending;
  assert.equal(await client.read(new Uint8Array(1)), null);
  await assert.rejects(server.write(new Uint8Array(1)), Deno.errors.BadResource);
});

Deno.test("TlsServerConn tells a peer that speaks no TLS from one that is gone", async () => {
  const listener = listenOn(address, loopbackTls);
  const { hostname, port } = listener.addr;
  using client = await Deno.connect({ hostname, port });
  const server = await listener.accept();
  await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await assert.rejects(server.read(new Uint8Array(1)), TlsError);
  server.close();
  const gone = await Deno.connect({ hostname, port });
  const other = await listener.accept();
  gone.close();
  assert.equal(await other.read(new Uint8Array(1)), null);
  other.close();
  listener.close();
});

Deno.test("listenOn() listens for TCP where there is no certificate", async () => {
  const listener = listenOn(address, undefined);
  const { hostname, port } = listener.addr;
  using client = await Deno.connect({ hostname, port });
  const server = await listener.accept();
  await client.write(new Uint8Array([9]));
  const into = new Uint8Array(1);
  await server.read(into);
  assert.equal(into[0], 9);
  server.close();
  listener.close();
});
