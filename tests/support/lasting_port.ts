/**
 * A port for a program that is killed and started again on it. One that the system gives to whoever
 * asks for any could be somebody else's meanwhile, the end of a connection for one.
 */

/** Below what Linux (32768) and IANA (RFC 6335 §6: 49152) give out, above what is registered most. */
const FIRST = 20_000;
const BEYOND = 32_000;

/** Nobody listens on it at 127.0.0.1 now, neither by TCP nor by UDP. */
export function lastingPort(): number {
  for (;;) {
    const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
    const port = FIRST + random % (BEYOND - FIRST);
    if (isFree(port)) return port;
  }
}

function isFree(port: number): boolean {
  const address = { hostname: "127.0.0.1", port };
  try {
    using _listener = Deno.listen(address);
    Deno.listenDatagram({ ...address, transport: "udp" }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
