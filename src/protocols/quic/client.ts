/** The dialling side of raw QUIC. */

import { isIP } from "node:net";
import { ConnectionLost, type Dial } from "../../contract/connection.ts";
import { addressOf, type QuicAddress } from "./address.ts";
import { sentence } from "./ending.ts";
import { writeFrame } from "./frames.ts";
import { Socket } from "./sockets.ts";
import { StreamConnection } from "./stream_connection.ts";
import { RAW_ALPN } from "./wire.ts";

/** UDP tells nobody that nobody listens. */
const HANDSHAKE_MS = 10_000;
/** How long the server's silence is borne; its keep-alives are more frequent. */
const IDLE_MS = 30_000;
const KEEP_ALIVE_MS = 7500;
const MAX_MODELS = 16;

/** A server on every address is on the loopback ones: what connect(2) does for TCP. */
const LOCAL = new Map([["0.0.0.0", "127.0.0.1"], ["::", "::1"]]);

/** In the runtime, though not in its types, connectQuic trusts a hash as WebTransport does. */
type ConnectOptions = Deno.ConnectQuicOptions<false> & {
  serverCertificateHashes?: WebTransportHash[];
};

export const dial: Dial = async (url, { signal, ca }) => {
  const address = addressOf(url);
  let opened: Socket | undefined;
  let reason: string | undefined;
  const giveUp = (why: string) => {
    reason = why;
    opened?.close();
  };
  const abort = () => giveUp("the dialling was aborted");
  const timer = setTimeout(() => giveUp(`no answer within ${HANDSHAKE_MS} ms`), HANDSHAKE_MS);
  signal.addEventListener("abort", abort);
  try {
    // Not every machine has IPv6.
    const socket = opened = new Socket(isIP(address.hostname) === 4 ? "0.0.0.0" : "::");
    if (signal.aborted) abort();
    const conn = await Deno.connectQuic(connectOptions(address, { endpoint: socket.endpoint, ca }));
    const { readable, writable } = await conn.createBidirectionalStream();
    const writer = writable.getWriter();
    await writeFrame(writer, new TextEncoder().encode(address.federation));
    const release = () => socket.giveBack();
    return new StreamConnection(conn, { wire: "quic", readable, writer, release });
  } catch (error) {
    await opened?.giveBack();
    reason ??= distrustOf(sentence(error), { address, ca }) ?? sentence(error);
    throw new ConnectionLost(`Cannot reach ${url.host}: ${reason}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
};

/** What to change where the certificate is not the one that the address vouches for. */
function distrustOf(
  failure: string,
  { address, ca }: { address: QuicAddress; ca: string | undefined },
): string | undefined {
  if (!failure.includes("UnknownIssuer")) return undefined;
  if (address.hash !== undefined) {
    return "its certificate is not the one whose hash= the address has; copy the address that the " +
      "server prints now";
  }
  if (ca !== undefined) return undefined;
  return "no public authority vouches for its certificate; copy the address whole, with its " +
    "hash=, as the server prints it, or name the authority by --ca";
}

function connectOptions(
  { hostname, port, hash }: QuicAddress,
  { endpoint, ca }: { endpoint: Deno.QuicEndpoint; ca: string | undefined },
): ConnectOptions {
  return {
    hostname: LOCAL.get(hostname) ?? hostname,
    port,
    endpoint,
    alpnProtocols: [RAW_ALPN],
    maxIdleTimeout: IDLE_MS,
    keepAliveInterval: KEEP_ALIVE_MS,
    maxConcurrentUnidirectionalStreams: MAX_MODELS,
    ...(ca !== undefined && { caCerts: [ca] }),
    ...(hash !== undefined && { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] }),
  };
}
