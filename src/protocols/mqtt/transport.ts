/** How mqtt.js reaches an endpoint: by TCP, or through a WebSocket (MQTT 5 and 3.1.1 §6). */

import { connect, type NetConnectOpts, Socket } from "node:net";
import type { IClientOptions, MqttClient } from "mqtt";

export interface Transport {
  readonly options: Pick<IClientOptions, "protocol" | "path" | "wsOptions">;
  readonly defaultPort: number;
}

/** Servers of others serve MQTT there; ours looks at no path. */
const PATH = "/mqtt";

/** TCP sockets below WebSockets, by the options that those were opened with. */
const sockets = new WeakMap<object, Socket>();

/** By an address's scheme; undefined for one that is not MQTT's. */
export function transportOf(scheme: string): Transport | undefined {
  switch (scheme) {
    case "mqtt:":
      return { options: { protocol: "mqtt" }, defaultPort: 1883 };
    case "mqtt+ws:": {
      const wsOptions = {
        perMessageDeflate: false, // weights do not shrink
        createConnection: (to: NetConnectOpts | number | string): Socket => {
          const socket = connectByTcp(to);
          sockets.set(wsOptions, socket);
          return socket;
        },
      };
      return { options: { protocol: "ws", path: PATH, wsOptions }, defaultPort: 80 };
    }
    default:
      return undefined;
  }
}

/** The request's options say `path`, too: to a socket, that would be a file's. */
function connectByTcp(to: NetConnectOpts | number | string): Socket {
  if (typeof to !== "object" || !("port" in to)) throw new TypeError("A WebSocket is on TCP");
  const { host = "localhost", port } = to;
  return connect({ host, port });
}

/** The TCP socket of a connection, once there is one. */
export function socketOf({ stream, options }: MqttClient): Socket | undefined {
  return stream instanceof Socket ? stream : sockets.get(options.wsOptions ?? {});
}
