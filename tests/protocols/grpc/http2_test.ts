import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { nextTick } from "node:process";
import { options } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";
import { Frame, frame, PREFACE, Stranger } from "./stranger.ts";

Deno.test("endBetweenFrames keeps GOAWAY from killing the process", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./goaway.ts", import.meta.url).href],
    // glibc overwrites what is freed, so that its use afterwards cannot pass by chance.
    env: { MALLOC_PERTURB_: "165", NO_COLOR: "1" },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});

Deno.test("endBetweenFrames tells who closes a session in its destruction of its end", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://127.0.0.1:${listener.addr.port}`);
  using _conn = await listener.accept();
  await once(session, "connect");
  session.destroy();
  await new Promise<void>((resolve) => nextTick(resolve)); // between frames
  assert.ok(session.destroyed && !session.closed);
  await new Promise<void>((resolve) => session.close(resolve));
});

Deno.test("injectorOf opens the stream's window as told, and the connection's beyond it", async () => {
  const own = options.parse({ port: 0, streamWindowBytes: 0x123456 });
  await using server = new GrpcServer(serverOptions("grpc"), own);
  const [address] = await server.listen(new ScriptedCoordinator());
  assert.ok(address);
  using stranger = await Stranger.connect(address.url);
  await stranger.write(PREFACE, frame(Frame.settings));
  const settings = await stranger.frame(Frame.settings);
  // RFC 9113 §6.5.2: INITIAL_WINDOW_SIZE is 4, MAX_CONCURRENT_STREAMS 3.
  assert.equal(settings?.payload.toHex(), "000400123456" + "0003000000d8");
  const update = await stranger.frame(Frame.windowUpdate);
  assert.ok(update?.stream === 0);
  // §6.9.1: from 65,535 to 2^31-1.
  assert.deepEqual([...update.payload], [0x7f, 0xff, 0, 0]);
});
