/**
 * HTTP/2's flow-control windows. grpc-js offers them as an option to its clients only; a server
 * stays at 64 KiB, and then no upload is faster than 64 KiB per round trip: 1.3 MB/s at 50 ms.
 */

import type { Http2Server, ServerHttp2Session } from "node:http2";
import { type ConnectionInjector, type Server, ServerCredentials } from "@grpc/grpc-js";

/** RFC 9113 §6.9.1. */
const LARGEST_WINDOW_BYTES = 2 ** 31 - 1;

/** The members of grpc-js 1.14's Server that lead to HTTP/2; not part of its interface. */
interface Inside {
  readonly commonServerOptions: { settings?: { initialWindowSize: number } };
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

/** Where sockets are handed to a gRPC server that reads each stream `streamWindowBytes` ahead. */
export function injectorOf(server: Server, streamWindowBytes: number): ConnectionInjector {
  const { commonServerOptions, http2Servers } = server as unknown as Inside;
  commonServerOptions.settings = { initialWindowSize: streamWindowBytes };
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  for (const http2 of http2Servers.keys()) {
    // The connection's window bounds nothing that its streams' windows do not; were it smaller, a
    // stream that is not read would keep the others of its connection waiting.
    http2.on("session", (session: ServerHttp2Session) => {
      session.setLocalWindowSize(LARGEST_WINDOW_BYTES);
    });
  }
  return injector;
}
