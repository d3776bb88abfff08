/** The gRPC server in process: the wire for tests of what no wire changes. */

import { dial } from "../../src/protocols/grpc/client.ts";
import { type Options, options, permissions } from "../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../src/protocols/grpc/server.ts";
import type { Subject } from "../protocols/subject.ts";

export const grpc: Subject<Options> = {
  wire: "grpc",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new GrpcServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../src/protocols/grpc/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  garbage: () => Promise.resolve(),
};
