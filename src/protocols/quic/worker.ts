/** The QUIC endpoint's Worker. */

import { serveLink } from "../../contract/link.ts";
import type { StartOptions } from "../../contract/server_options.ts";
import type { Options } from "./options.ts";
import { QuicServer } from "./server.ts";

serveLink((options) => {
  const { server, own } = options as StartOptions<Options>;
  return new QuicServer(server, own);
});
