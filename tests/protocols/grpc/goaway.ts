/** A server and a client that are told GOAWAY: run as a program of its own, as it may kill the process. */

import assert from "node:assert/strict";
import { clientMessage } from "../../../src/contract/codec.ts";
import { schemeOf, type TlsOptions } from "../../../src/contract/tls.ts";
import { dial } from "../../../src/protocols/grpc/client.ts";
import { options } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { session } from "../../../src/protocols/grpc/wire.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { ca, loopbackTls } from "../../support/tls.ts";
import { serverOptions } from "../subject.ts";
import { Frame, frame, goaway, PREFACE, request, respond, Stranger } from "./stranger.ts";

// RFC 9113 §7: NO_ERROR and ENHANCE_YOUR_CALM; with NO_ERROR what is open may go on.
for (const tls of [undefined, loopbackTls]) {
  for (const code of [0x0, 0xb]) {
    await serverHears(goaway(code), { withCall: false, tls });
    await serverHears(goaway(code), { withCall: true, tls });
  }
  await clientHears([goaway(0xb)], tls);
  const reset = frame(Frame.rstStream, { stream: 1, payload: [0, 0, 0, 8] });
  await clientHears([reset, goaway(0xb)], tls);
}

async function serverHears(
  said: Uint8Array,
  { withCall, tls }: { withCall: boolean; tls: TlsOptions | undefined },
): Promise<void> {
  const coordinator = new ScriptedCoordinator();
  await using server = new GrpcServer(serverOptions("grpc", tls), options.parse({ port: 0 }));
  const [address] = await server.listen(coordinator);
  assert.ok(address);
  using stranger = await Stranger.connect(address.url);
  await stranger.write(PREFACE, frame(Frame.settings));
  if (withCall) await stranger.write(request(session.path));
  await stranger.frame(withCall ? Frame.headers : Frame.settings);
  await stranger.write(said);
  await stranger.frame(Frame.goaway);
}

async function clientHears(
  said: readonly Uint8Array[],
  tls: TlsOptions | undefined,
): Promise<void> {
  const address = { hostname: "127.0.0.1", port: 0 };
  using listener = tls === undefined ? Deno.listen(address) : Deno.listenTls({
    ...address,
    cert: tls.certificate,
    key: tls.key,
    alpnProtocols: ["h2"],
  });
  const accepted = listener.accept();
  const scheme = schemeOf("grpc", tls);
  const dialling = dial(new URL(`${scheme}://127.0.0.1:${listener.addr.port}/default`), {
    clientId: "client-1",
    will: clientMessage({}),
    ca,
    signal: AbortSignal.timeout(60_000),
  });
  using stranger = new Stranger(await accepted, { skipBytes: PREFACE.length });
  await stranger.write(frame(Frame.settings));
  await stranger.frame(Frame.headers);
  await stranger.write(respond());
  await using connection = await dialling;
  await stranger.write(...said);
  assert.match(await connection.lost, /^The connection is lost/);
}
