import { connect } from "node:net";
import { dial } from "../../../src/protocols/grpc/client.ts";
import { options, permissions } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { conformance } from "../conformance.ts";

conformance({
  wire: "grpc",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new GrpcServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../../src/protocols/grpc/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  garbage: async (url) => {
    const stranger = connect(Number(url.port), url.hostname);
    const closed = Promise.withResolvers<void>();
    stranger.once("close", closed.resolve);
    stranger.on("error", () => {}).resume();
    stranger.write("GET / HTTP/1.1\r\n\r\n");
    await closed.promise;
  },
});
