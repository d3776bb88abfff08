/** The test vectors of proto/wire.md, byte for byte against the endpoint. */

import assert from "node:assert/strict";
import { serverMessage } from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { Answer } from "../../../src/contract/protocol_server.ts";
import { EndpointBench } from "./endpoint_bench.ts";

const UP = "0016666c2f64656661756c742f75702f636c69656e742d31";
const DOWN = "0018666c2f64656661756c742f646f776e2f636c69656e742d31";
const WILL = "1208636c69656e742d317a1408041a10000102030405060708090a0b0c0d0e0f";
const HELLO = "1208636c69656e742d312001521d08011210000102030405060708090a0b0c0d0e0f" +
  "220573746f636b2864";
const PART = "0a0572756e2d311208636c69656e742d311a10101112131415161718191a1b1c1d1e1f20025a35" +
  "080710031a10202122232425262728292a2b2c2d2e2f3864420f0a046c6f737311000000000000e03f" +
  "48085a080102030405060708";

/** What client and endpoint say in turn. */
const vectors = {
  4: [
    [`104e00044d515454040e00140008636c69656e742d31${UP}0020${WILL}`, "20020000"],
    [`821d0001${DOWN}01`, "9003000101"],
    [`3245${UP}0002${HELLO}`, `3229${DOWN}00010a0572756e2d316a0408011001` + "40020002"],
    [`3276${UP}0003${PART}`, `322b${DOWN}00020a0572756e2d316a06080210012008` + "40020003"],
  ],
  5: [
    [
      `105000044d515454050e0014000008636c69656e742d3100${UP}0020${WILL}`,
      "201900001611000000002104002700081000220000280029002a00",
    ],
    [`821e000100${DOWN}01`, "900400010001"],
    [`3246${UP}000200${HELLO}`, `322a${DOWN}0001000a0572756e2d316a0408011001` + "40020002"],
    [`3277${UP}000300${PART}`, `322c${DOWN}0002000a0572756e2d316a06080210012008` + "40020003"],
  ],
} as const;

for (const [level, turns] of Object.entries(vectors)) {
  Deno.test(`wire.md's vectors hold at level ${level}`, async () => {
    await using bench = await EndpointBench.open();
    bench.coordinator.judge = ({ sequence, body }) => {
      const nextOffset = body.case === "updatePart" ? 8n : 0n;
      const value = { sequence, verdict: Verdict.ACCEPTED, nextOffset };
      return serverMessage({ runId: "run-1", body: { case: "receipt", value } }) as Answer;
    };
    using socket = await Deno.connect({ port: Number(new URL(bench.url).port) });
    for (const [said, heard] of turns) {
      await socket.write(Uint8Array.fromHex(said));
      let answered = "";
      while (answered.length < heard.length) {
        const bytes = new Uint8Array(1000);
        const count = await socket.read(bytes);
        assert.ok(count !== null);
        answered += bytes.subarray(0, count).toHex();
      }
      assert.equal(answered, heard);
    }
  });
}
