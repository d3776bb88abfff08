/** The dialling side of WebTransport: what browsers have of QUIC. */

import { ConnectionLost, type Dial } from "../../contract/connection.ts";
import { addressOf, authority } from "./address.ts";
import { sentence } from "./ending.ts";
import { StreamConnection } from "./stream_connection.ts";

/** Where UDP does not pass, nobody says so; other wires are waiting for their turn. */
const HANDSHAKE_MS = 5000;

/** Dials the same addresses as raw QUIC. */
export const dial: Dial = async (url, { signal }) => {
  const { hostname, port, federation, hash } = addressOf(url);
  if (!("WebTransport" in globalThis)) {
    throw new ConnectionLost(`Cannot reach ${url.host}: there is no WebTransport here`);
  }
  const session = new WebTransport(
    `https://${authority(hostname, port)}/${encodeURIComponent(federation)}`,
    hash === undefined ? {} : { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] },
  );
  session.closed.catch(() => {}); // what rejects it rejects `ready`, too
  const givenUp = Promise.withResolvers<never>();
  const giveUp = (why: string) => {
    givenUp.reject(new ConnectionLost(why));
    closeOnceThere(session);
  };
  const abort = () => giveUp("the dialling was aborted");
  const timer = setTimeout(() => giveUp(`no answer within ${HANDSHAKE_MS} ms`), HANDSHAKE_MS);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    await Promise.race([session.ready, givenUp.promise]);
    const { readable, writable } = await session.createBidirectionalStream();
    const writer = writable.getWriter();
    return new StreamConnection(session, { wire: "webtransport", readable, writer });
  } catch (error) {
    throw new ConnectionLost(`Cannot reach ${url.host}: ${sentence(error)}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
};

/** Browsers end a handshake that nobody waits for; Deno closes only what is connected. */
function closeOnceThere(session: WebTransport): void {
  try {
    session.close();
  } catch {
    session.ready.then(() => session.close(), () => {});
  }
}
