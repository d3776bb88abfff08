/** Binding the endpoint's TCP ports. */

import { ListenError } from "../../contract/protocol_server.ts";
import type { Options } from "./options.ts";

/** Where clients come in, and how they speak there. */
export interface Door {
  /** Of the addresses that lead here. */
  readonly scheme: "mqtt" | "mqtt+ws";
  readonly listener: Deno.TcpListener;
}

/** @throws {ListenError} when the operator must change something; then nothing is bound. */
export function bindPorts({ hostname, port, websocketPort }: Options): Door[] {
  const listener = bind({ hostname, port, what: "MQTT", flag: "--mqtt-port" });
  const doors: Door[] = [{ scheme: "mqtt", listener }];
  if (websocketPort === undefined) return doors;
  try {
    const what = "MQTT over WebSocket";
    const second = bind({ hostname, port: websocketPort, what, flag: "--mqtt-websocket-port" });
    return [...doors, { scheme: "mqtt+ws", listener: second }];
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

function bind({ hostname, port, what, flag }: Place): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port, transport: "tcp" });
  } catch (error) {
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
