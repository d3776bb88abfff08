/** Whether the ports are free, and whether UDP comes through: by listening on each for a moment. */

import { isIP } from "node:net";
import { hostOf } from "../../contract/least.ts";
import { failed, type Finding, ok, reasonOf } from "./finding.ts";
import type { Listener } from "./listeners.ts";
import { UdpSocket } from "./udp_socket.ts";

/** How long a packet may be on its way within this machine. */
const PACKET_MS = 2000;

export async function checkPort(listener: Listener): Promise<Finding> {
  const { name, transport, hostname, port } = listener;
  const check = `port ${name}`;
  const place = `${transport.toUpperCase()} ${hostOf(hostname)}:${port}`;
  try {
    if (transport === "tcp") {
      Deno.listen({ hostname, port }).close();
      return ok(check, port === 0 ? `${place} takes any free port` : `${place} is free`);
    }
    const hosts = listener.reachedAt ?? addressesOf(hostname);
    using socket = UdpSocket.bind(hostname, port);
    for (const host of hosts) {
      if (await socket.isReached(host, AbortSignal.timeout(PACKET_MS))) continue;
      return failed(
        check,
        `${place} is free, but a packet sent to it at ${host} does not arrive`,
        "let UDP through in this machine's firewall, or leave the wire out of --protocols",
      );
    }
    const free = port === 0 ? "takes any free port" : "is free";
    return ok(check, `${place} ${free}, and packets to ${hosts.join(", ")} arrive`);
  } catch (error) {
    return failed(check, `${place}: ${reasonWhy(error)}`, advice(error, listener));
  }
}

/** Where what listens on a host name can be reached: all addresses of the family for a wildcard. */
function addressesOf(hostname: string): string[] {
  if (hostname !== "0.0.0.0" && hostname !== "::") return [hostname];
  const family = isIP(hostname) === 4 ? "IPv4" : "IPv6";
  return Deno.networkInterfaces()
    .filter((each) => each.family === family && !each.address.startsWith("fe80:")) // needs a scope
    .map(({ address }) => address);
}

function reasonWhy(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "it is in use";
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not listen there";
  return reasonOf(error);
}

function advice(error: unknown, { portFlag, hostnameFlag }: Listener): string {
  if (error instanceof Deno.errors.AddrNotAvailable) {
    const own = Deno.networkInterfaces().map(({ address }) => address);
    return `set ${hostnameFlag} to an address of this machine: ${own.join(", ")}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `choose a port from 1024 on by ${portFlag}, or let this user listen there`;
  }
  return `stop what listens there (a server that is running already?), or choose another by ${portFlag}`;
}
