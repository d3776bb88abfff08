import assert from "node:assert/strict";
import { PortPair } from "../../../src/protocols/dds/port.ts";
import { cyclone } from "./library.ts";

const pair = PortPair.of(cyclone);
const ignore = pair === undefined; // on Windows libddsc does not bring the C library along

Deno.test({
  name: "PortPair.isFree() is false while either port of the pair is bound",
  ignore,
  fn() {
    const port = pair?.free() ?? 0;
    assert.equal(pair?.isFree(port), true);
    for (const bound of [port, port + 1]) {
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: bound });
      assert.equal(pair?.isFree(port), false);
      socket.close();
    }
    assert.equal(pair?.isFree(port), true);
  },
});

Deno.test({
  name: "PortPair.free() finds a pair that is free",
  ignore,
  fn() {
    const port = pair?.free() ?? 0;
    for (const free of [port, port + 1]) {
      Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: free }).close();
    }
  },
});

Deno.test({
  name: "PortPair.isLocal() knows this machine's addresses",
  ignore,
  fn() {
    assert.equal(pair?.isLocal("127.0.0.1"), true);
    assert.equal(pair?.isLocal("192.0.2.77"), false); // RFC 5737: nobody's
  },
});
