/** The MQTT server in process: its client leaves nothing behind where nobody listens, as gRPC's does. */

import { dial } from "../../src/protocols/mqtt/client.ts";
import { type Options, options, permissions } from "../../src/protocols/mqtt/options.ts";
import { MqttServer } from "../../src/protocols/mqtt/server.ts";
import type { Subject } from "../protocols/subject.ts";

export const mqtt: Subject<Options> = {
  wire: "mqtt",
  own: (port = 0) => options.parse({ port }),
  make: (server, own) => new MqttServer(server, own),
  spawn: (own) =>
    new Worker(new URL("../../src/protocols/mqtt/worker.ts", import.meta.url), {
      type: "module",
      deno: { permissions: permissions(own) },
    }),
  dial,
  garbage: () => Promise.resolve(),
};
