/** The Worker in which the connections to an AMQP broker live. */

import { serveLink } from "../../contract/link.ts";
import type { StartOptions } from "../../contract/server_options.ts";
import type { Options } from "./broker_options.ts";
import { BrokeredAmqpServer } from "./broker_server.ts";

serveLink((options) => {
  const { server, own } = options as StartOptions<Options>;
  return new BrokeredAmqpServer(server, own);
});
