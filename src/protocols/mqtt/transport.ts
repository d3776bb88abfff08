/** How mqtt.js reaches an endpoint: by TCP or TLS, or through a WebSocket (MQTT 5 and 3.1.1 §6) on either. */

import { connect, isIP, type NetConnectOpts, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import mqtt, { type IClientOptions, MqttClient } from "mqtt";

export interface Transport {
  readonly isTls: boolean;
  readonly isWebSocket: boolean;
  readonly defaultPort: number;
}

/** Where to, and whom to trust there. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
  /** PEM of the authority that vouches for the server; else one of this machine's does. */
  readonly ca: string | undefined;
}

export const TCP: Transport = { isTls: false, isWebSocket: false, defaultPort: 1883 };
export const TLS: Transport = { isTls: true, isWebSocket: false, defaultPort: 8883 };

/** By an address's scheme. */
const transports: Readonly<Record<string, Transport>> = {
  "mqtt:": TCP,
  "mqtts:": TLS,
  "mqtt+ws:": { isTls: false, isWebSocket: true, defaultPort: 80 },
  "mqtt+wss:": { isTls: true, isWebSocket: true, defaultPort: 443 },
};

/** Servers of others serve MQTT there; ours looks at no path. */
const PATH = "/mqtt";

/** Sockets below WebSockets, by the options that those were opened with. */
const sockets = new WeakMap<object, Socket>();

/** Undefined for a scheme that is not MQTT's. */
export function transportOf(scheme: string): Transport | undefined {
  return Object.hasOwn(transports, scheme) ? transports[scheme] : undefined;
}

/** A client that is on its way to the endpoint. */
export function connectBy(
  { isTls, isWebSocket }: Transport,
  target: Target,
  options: IClientOptions,
): MqttClient {
  const { hostname, port } = target;
  if (isWebSocket) {
    const wsOptions = webSocketOptions(isTls, target);
    const protocol = isTls ? "wss" : "ws";
    return mqtt.connect({ ...options, protocol, hostname, port, path: PATH, wsOptions });
  }
  // The library's own ways would look for a proxy in the environment, and hold small packets back.
  const open = () => isTls ? openTls(target) : openTcp({ host: hostname, port });
  return new MqttClient(open, { ...options, hostname, port });
}

/** As the library's `ws` takes them. */
function webSocketOptions(isTls: boolean, target: Target) {
  const options = {
    perMessageDeflate: false, // weights do not shrink
    createConnection: (to: NetConnectOpts | number | string): Socket => {
      const socket = isTls ? openTls(target) : connectByTcp(to);
      sockets.set(options, socket);
      return socket;
    },
  };
  return options;
}

/** The request's options say `path`, too: to a socket, that would be a file's. */
function connectByTcp(to: NetConnectOpts | number | string): Socket {
  if (typeof to !== "object" || !("port" in to)) throw new TypeError("A WebSocket is on TCP");
  const { host = "localhost", port } = to;
  return openTcp({ host, port });
}

function openTcp(to: { readonly host: string; readonly port: number }): Socket {
  return prompt(connect(to), "connect");
}

function openTls({ hostname: host, port, ca }: Target): Socket {
  return prompt(
    connectTls({
      host,
      port,
      ...(isIP(host) === 0 && { servername: host }), // RFC 6066 §3: no addresses
      ...(ca !== undefined && { ca }),
    }),
    "secureConnect",
  ); // Deno 2.6 has no handshake after an earlier setNoDelay
}

/**
 * Sends what is written at once: an acknowledgement of a few bytes waits for nothing. Nagle's
 * algorithm (RFC 896) and the other side's delayed acknowledgements (RFC 1122 §4.2.3.2) would add
 * some 40 ms to every exchange through a broker.
 */
function prompt(socket: Socket, opened: "connect" | "secureConnect"): Socket {
  return socket.once(opened, () => socket.setNoDelay(true));
}

/** The TCP or TLS socket of a connection, once there is one. */
export function socketOf({ stream, options }: MqttClient): Socket | undefined {
  return stream instanceof Socket ? stream : sockets.get(options.wsOptions ?? {});
}
