/** Reads what strace wrote about a program's sockets. */

/** To be traced: what makes a socket reach somebody. */
export const CALLS = "connect,sendto,sendmsg,sendmmsg,setsockopt";

const FAMILY = /sa_family=AF_(\w+)/g;
/** A thread's number, the call and its socket. */
const CALL = /^(\d+) +(\w+)\((\d+), /;
/** The IPv4 address in octets' order, as a number of this little-endian machine. */
const MULTICAST_INTERFACE = /IP_MULTICAST_IF, \[(\d+)\]/;
const LOOPBACK = 0x0100007f; // 127.0.0.1

/**
 * Whom a program connected or sent to: IP addresses, `unix`, `netlink`. A multicast that is sent on
 * the loopback interface counts as 127.0.0.1, for it goes no further: libddsc finds out that way
 * what the interface can do. What is taken apart (`AF_UNSPEC`) reaches nobody.
 */
export function destinations(trace: string): Set<string> {
  const reached = new Set<string>();
  const onLoopback = new Set<string>();
  for (const line of trace.split("\n")) {
    const [, thread, call, socket] = CALL.exec(line) ?? [];
    const place = `${thread} ${socket}`;
    if (call === "setsockopt") {
      const chosen = MULTICAST_INTERFACE.exec(line)?.[1];
      if (chosen === undefined) continue;
      if (Number(chosen) === LOOPBACK) onLoopback.add(place);
      else onLoopback.delete(place);
      continue;
    }
    for (const { 1: family = "", index } of line.matchAll(FAMILY)) {
      const address = addressOf(family, line.slice(index)) ?? line;
      if (isMulticast(address) && onLoopback.has(place)) reached.add("127.0.0.1");
      else if (family !== "UNSPEC") reached.add(address);
    }
  }
  return reached;
}

function addressOf(family: string, fields: string): string | undefined {
  if (family === "INET") return /inet_addr\("([^"]+)"\)/.exec(fields)?.[1];
  if (family === "INET6") return /inet_pton\(AF_INET6, "([^"]+)"/.exec(fields)?.[1];
  return family.toLowerCase();
}

/** RFC 5771: 224.0.0.0 to 239.255.255.255. */
function isMulticast(address: string): boolean {
  const first = Number(/^(\d+)\.\d+\.\d+\.\d+$/.exec(address)?.[1] ?? 0);
  return first >= 224 && first <= 239;
}
