/** The Worker in which the connection to an MQTT broker lives. */

import { serveLink } from "../../contract/link.ts";
import type { StartOptions } from "../../contract/server_options.ts";
import type { Options } from "./broker_options.ts";
import { BrokeredMqttServer } from "./broker_server.ts";

serveLink((options) => {
  const { server, own } = options as StartOptions<Options>;
  return new BrokeredMqttServer(server, own);
});
