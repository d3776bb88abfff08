/** The test vectors of proto/wire.md, byte for byte over a raw connection and a WebTransport session. */

import assert from "node:assert/strict";
import { serverMessage } from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { Answer } from "../../../src/contract/protocol_server.ts";
import { Bench, NEVER } from "./bench.ts";
import { connectRequest, SETTINGS } from "./http3.ts";
import { Stranger } from "./stranger.ts";

const NAME = "0000000764656661756c74";
const HELLO = "0000002b1208636c69656e742d312001521d08011210000102030405060708090a0b0c0d0e0f" +
  "220573746f636b2864";
const PART = "0000005c0a0572756e2d311208636c69656e742d311a10101112131415161718191a1b1c1d1e1f" +
  "20025a35080710031a10202122232425262728292a2b2c2d2e2f3864420f0a046c6f7373110000000000" +
  "00e03f48085a080102030405060708";
const RECEIPTS = [
  "0000000d0a0572756e2d316a0408011001",
  "0000000f0a0572756e2d316a06080210012008",
];
const MODEL = "000000170a0572756e2d315a0e0801100822080102030405060708";

async function openBench(): Promise<Bench> {
  const bench = await Bench.open();
  bench.coordinator.judge = ({ sequence, body }) => {
    const nextOffset = body.case === "updatePart" ? 8n : 0n;
    const value = { sequence, verdict: Verdict.ACCEPTED, nextOffset };
    return serverMessage({ runId: "run-1", body: { case: "receipt", value } }) as Answer;
  };
  return bench;
}

for (
  const [carrier, prefixes] of Object.entries({
    "raw QUIC": { control: NAME, upward: "", downward: "" },
    WebTransport: { control: "404100", upward: "405400", downward: "405400" },
  })
) {
  Deno.test(`wire.md's vectors hold over ${carrier}`, async () => {
    await using bench = await openBench();
    const raw = carrier === "raw QUIC";
    const alpnProtocol = raw ? "tributary/1" : "h3";
    await using stranger = await Stranger.connect(bench.url, { alpnProtocol });
    const downward = stranger.conn.incomingUnidirectionalStreams.getReader();
    const settings = (await stranger.conn.createUnidirectionalStream()).getWriter();
    const request = raw
      ? undefined
      : await stranger.bidirectional(connectRequest("localhost", "/default"));
    if (!raw) {
      await settings.write(SETTINGS);
      await downward.read();
    }
    const control = await stranger.bidirectional(hex(prefixes.control), hex(HELLO));
    assert.equal((await control.take(17)).toHex(), RECEIPTS[0]);
    await stranger.upload(hex(prefixes.upward), hex(PART));
    assert.equal((await control.take(19)).toHex(), RECEIPTS[1]);
    const { route } = await bench.coordinator.message("client-1");
    const bytes = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const model = serverMessage({
      runId: "run-1",
      body: { case: "modelPart", value: { modelRound: 1, totalBytes: 8n, bytes } },
    });
    assert.equal(await bench.server.send(route, model, { signal: NEVER }), "taken");
    const { value: stream } = await downward.read();
    assert.ok(stream);
    const heard: number[] = [];
    for await (const chunk of stream) heard.push(...chunk);
    assert.equal(new Uint8Array(heard).toHex(), prefixes.downward + MODEL);
    await request?.writer.close();
  });
}

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(text);
}
