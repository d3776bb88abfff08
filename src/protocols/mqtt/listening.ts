/** Binding the endpoint's TCP ports. */

import { ListenError } from "../../contract/protocol_server.ts";
import { schemeOf, type StreamListener, type TlsOptions } from "../../contract/tls.ts";
import { listenOn } from "../../contract/tls_conn.ts";
import type { Options } from "./options.ts";

/** Where clients come in, and how they speak there. */
export interface Door {
  /** Of the addresses that lead here. */
  readonly scheme: string;
  readonly isWebSocket: boolean;
  readonly listener: StreamListener;
}

/** @throws {ListenError} when the operator must change something; then nothing is bound. */
export function bindPorts(
  { hostname, port, websocketPort }: Options,
  tls: TlsOptions | undefined,
): Door[] {
  const listener = bind({ hostname, port, what: "MQTT", flag: "--mqtt-port" }, tls);
  const first = { scheme: schemeOf("mqtt", tls), isWebSocket: false, listener };
  if (websocketPort === undefined) return [first];
  try {
    const what = "MQTT over WebSocket";
    const flag = "--mqtt-websocket-port";
    const second = bind({ hostname, port: websocketPort, what, flag }, tls);
    return [first, { scheme: schemeOf("mqtt+ws", tls), isWebSocket: true, listener: second }];
  } catch (error) {
    listener.close();
    throw error;
  }
}

interface Place {
  readonly hostname: string;
  readonly port: number;
  /** What is served there. */
  readonly what: string;
  /** What sets the port. */
  readonly flag: string;
}

function bind(
  { hostname, port, what, flag }: Place,
  tls: TlsOptions | undefined,
): StreamListener {
  try {
    return listenOn({ hostname, port }, tls);
  } catch (error) {
    if (error instanceof ListenError) throw error;
    const cannot = `Cannot listen for ${what} on ${hostname}:${port}`;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new ListenError(
        `${cannot}: the address is in use; stop the other program or set ${flag}`,
      );
    }
    if (error instanceof Deno.errors.AddrNotAvailable) {
      throw new ListenError(
        `${cannot}: this machine has no such address; set --mqtt-hostname to one of its own`,
      );
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new ListenError(`${cannot}: the port is a privileged one; set ${flag} above 1023`);
    }
    throw new ListenError(
      `${cannot}: ${error instanceof Error ? error.message : error}; set --mqtt-hostname or ` +
        `${flag} to an address that can be bound`,
    );
  }
}
