/** The Worker in which the gRPC server lives. */

import { serveLink } from "../../contract/link.ts";
import type { StartOptions } from "../../contract/server_options.ts";
import type { Options } from "./options.ts";
import { GrpcServer } from "./server.ts";

serveLink((options) => {
  const { server, own } = options as StartOptions<Options>;
  return new GrpcServer(server, own);
});
