/** The test vectors of proto/wire.md, byte for byte against the server. */

import assert from "node:assert/strict";
import { serverMessage } from "../../../src/contract/codec.ts";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import type { Answer } from "../../../src/contract/protocol_server.ts";
import { options } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";
import { Frame, Stranger } from "./stranger.ts";

const PREFACE = "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a";
const SETTINGS = "000000040000000000";
const HEADERS = "0000730104000000018386" +
  "04202f7472696275746172792e76312e46656465726174696f6e2f53657373696f6e" + // :path
  "010f3132372e302e302e313a3530303531" + // :authority
  "0f10106170706c69636174696f6e2f67727063" + // content-type
  "0002746508747261696c657273" + // te
  "00147472696275746172792d66656465726174696f6e0764656661756c74"; // tributary-federation
const HELLO = "000030000000000001000000002b" + // DATA; no compression, 43 bytes
  "1208636c69656e742d312001521d08011210000102030405060708090a0b0c0d0e0f220573746f636b2864";
const PART = "000061000000000001000000005c" +
  "0a0572756e2d311208636c69656e742d311a10101112131415161718191a1b1c1d1e1f20025a35" +
  "080710031a10202122232425262728292a2b2c2d2e2f3864420f0a046c6f737311000000000000e03f" +
  "48085a080102030405060708";

Deno.test("wire.md's vectors hold", async () => {
  const coordinator = new ScriptedCoordinator();
  coordinator.judge = ({ sequence, body }) => {
    const nextOffset = body.case === "updatePart" ? 8n : 0n;
    const value = { sequence, verdict: Verdict.ACCEPTED, nextOffset };
    return serverMessage({ runId: "run-1", body: { case: "receipt", value } }) as Answer;
  };
  await using server = new GrpcServer(serverOptions("grpc"), options.parse({ port: 0 }));
  const [address] = await server.listen(coordinator);
  assert.ok(address);
  using stranger = await Stranger.connect(address.url);
  await stranger.write(Uint8Array.fromHex(PREFACE + SETTINGS + HEADERS));
  assert.equal((await stranger.frame(Frame.headers))?.stream, 1);
  await stranger.write(Uint8Array.fromHex(HELLO));
  assert.equal(await data(stranger), "00" + "0000000d" + "0a0572756e2d316a0408011001");
  await stranger.write(Uint8Array.fromHex(PART));
  assert.equal(await data(stranger), "00" + "0000000f" + "0a0572756e2d316a06080210012008");
});

async function data(stranger: Stranger): Promise<string> {
  return (await stranger.frame(Frame.data))?.payload.toHex() ?? "the connection ended";
}
