/**
 * HTTP/2 as grpc-js leaves it to Node, put right for Deno. grpc-js makes its HTTP/2 sessions itself
 * and shows them to nobody; hence the reach into two private members of its Server, and into
 * `http2.connect` for its Client.
 */

import http2, { type Http2Server, type Http2Session, type Settings } from "node:http2";
import { nextTick } from "node:process";
import { type ConnectionInjector, type Server, ServerCredentials } from "@grpc/grpc-js";

/** RFC 9113 §6.9.1. */
const LARGEST_WINDOW_BYTES = 2 ** 31 - 1;

/** nghttp2's NGHTTP2_ERR_BAD_CLIENT_MAGIC. */
const BAD_PREFACE = -903;

/** The members of grpc-js 1.14's Server that lead to HTTP/2. */
interface Inside {
  readonly commonServerOptions: { settings?: Settings };
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

export interface InjectorOptions {
  /** What clients may send ahead on each stream. */
  readonly streamWindowBytes: number;
  /** A peer does speak HTTP/2: its SETTINGS, which follow the preface, have come (RFC 9113 §3.4). */
  greeted(remote: string): void;
}

/**
 * Where sockets are handed to a gRPC server. grpc-js has an option for the window of its clients'
 * streams only: a server stays at 64 KiB, and then no upload is faster than 64 KiB per round trip,
 * 1.3 MB/s at 50 ms.
 */
export function injectorOf(
  server: Server,
  { streamWindowBytes, greeted }: InjectorOptions,
): ConnectionInjector {
  const { commonServerOptions, http2Servers } = server as unknown as Inside;
  commonServerOptions.settings = {
    ...commonServerOptions.settings,
    initialWindowSize: streamWindowBytes,
  };
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  for (const http2Server of http2Servers.keys()) {
    http2Server.on("session", (session) => {
      // The connection's window bounds nothing that its streams' windows do not; were it smaller,
      // a stream that is not read would keep the others of its connection waiting.
      session.setLocalWindowSize(LARGEST_WINDOW_BYTES);
      session.once("remoteSettings", () => {
        const { remoteAddress, remotePort } = session.socket ?? {};
        greeted(`${remoteAddress}:${remotePort}`); // as grpc-js writes it
      });
      endBetweenFrames(session);
    });
  }
  return injector;
}

const { connect } = http2;

Object.assign(http2, {
  connect(...args: Parameters<typeof connect>): ReturnType<typeof connect> {
    const session = connect(...args);
    endBetweenFrames(session);
    return session;
  },
});

/**
 * On GOAWAY, Deno 2.9 ends a session while nghttp2 still reads the frame, and so frees what nghttp2
 * goes on to use: now and then the whole process dies (denoland/deno#36788). This waits for the end
 * of the frame.
 */
function endBetweenFrames(session: Http2Session): void {
  const close = session.close.bind(session);
  const destroy = session.destroy.bind(session);
  session.close = (callback) => {
    // Node drops it where the session is being destroyed; grpc-js's shutdown waits for it.
    if (callback !== undefined) session.once("close", callback);
    if (!session.closed && !session.destroyed) nextTick(close);
  };
  session.destroy = (error, code) => nextTick(destroy, error, code ?? goawayCode(error));
}

/** Without a code, Node says INTERNAL_ERROR. RFC 9113 §3.4 has another one for a wrong preface. */
function goawayCode(error: unknown): number | undefined {
  const isWrongPreface = error instanceof Error && "errno" in error && error.errno === BAD_PREFACE;
  return isWrongPreface ? http2.constants.NGHTTP2_PROTOCOL_ERROR : undefined;
}
