/** The test vectors of proto/wire.md, octet for octet against the endpoint. */

import assert from "node:assert/strict";
import { serverMessage } from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { Answer } from "../../../src/contract/protocol_server.ts";
import { AmqpBench } from "./bench.ts";
import { RawClient } from "./raw_client.ts";

const KEY = "10" + "64656661756c742e636c69656e742d31"; // default.client-1
const UP = "05" + "666c2e7570";
const DOWN = "07" + "666c2e646f776e";
const HELLO = "1208636c69656e742d312001521d08011210000102030405060708090a0b0c0d0e0f" +
  "220573746f636b2864";
const PART = "0a0572756e2d311208636c69656e742d311a10101112131415161718191a1b1c1d1e1f20025a35" +
  "080710031a10202122232425262728292a2b2c2d2e2f3864420f0a046c6f737311000000000000e03f" +
  "48085a080102030405060708";
const PUBLISH = `0100010000001e003c00280000${UP}${KEY}00ce`;
/** Content type application/x-protobuf, delivery mode 1. */
const PROPERTIES = "9000166170706c69636174696f6e2f782d70726f746f62756601";

function deliver(tag: string, receipt: string): string {
  const size = (receipt.length / 2).toString(16).padStart(2, "0");
  return `01000100000028003c003c016300000000000000${tag}00${DOWN}${KEY}ce` +
    `02000100000026003c000000000000000000${size}${PROPERTIES}ce` +
    `030001000000${size}${receipt}ce`;
}

/** What client and endpoint say in turn, once connection.start has been said. */
const turns: readonly (readonly [said: string, heard: string])[] = [
  [
    "01000000000022000a000b0000000005504c41494e0000000a00636c69656e742d310005656e5f5553ce",
    "0100000000000c000a001e004000020000000ace",
  ],
  [
    "0100000000000c000a001f0040000200000000ce" + "01000000000008000a0028012f0000ce",
    "01000000000005000a002900ce",
  ],
  ["010001000000050014000a00ce", "010001000000080014000b00000000ce"],
  ["010001000000050055000a00ce", "010001000000040055000bce"],
  ["0100010000000b003c000a00000000001000ce", "01000100000004003c000bce"],
  [
    "0100010000000d0032000a000001710400000000ce",
    "0100010000000e0032000b01710000000000000000ce",
  ],
  [`010001000000260032001400000171${DOWN}${KEY}0000000000ce`, "0100010000000400320015ce"],
  ["0100010000000f003c00140000017101630000000000ce", "01000100000006003c00150163ce"],
  [
    `${PUBLISH}0200010000000e003c0000000000000000002b0000ce0300010000002b${HELLO}ce`,
    `${deliver("01", "0a0572756e2d316a0408011001")}0100010000000d003c0050000000000000000100ce`,
  ],
  [
    "0100010000000d003c0050000000000000000100ce" +
    `${PUBLISH}0200010000000e003c0000000000000000005c0000ce0300010000005c${PART}ce`,
    `${deliver("02", "0a0572756e2d316a06080210012008")}0100010000000d003c0050000000000000000200ce`,
  ],
  ["0100000000000b000a003200c80000000000ce", "01000000000004000a0033ce"],
];

Deno.test("wire.md's vectors hold", async () => {
  await using bench = await AmqpBench.open();
  bench.coordinator.judge = ({ sequence, body }) => {
    const nextOffset = body.case === "updatePart" ? 8n : 0n;
    const value = { sequence, verdict: Verdict.ACCEPTED, nextOffset };
    return serverMessage({ runId: "run-1", body: { case: "receipt", value } }) as Answer;
  };
  await using client = await RawClient.connect(bench.url);
  await client.greet();
  for (const [said, heard] of turns) {
    await client.write(Uint8Array.fromHex(said));
    assert.equal((await client.octets(heard.length / 2)).toHex(), heard);
  }
});
