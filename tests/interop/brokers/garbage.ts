/** Bytes that are no protocol of a broker's. */

import { connect } from "node:net";

/** Resolves when the broker has closed the connection. */
export async function spoil(url: URL): Promise<void> {
  const closed = Promise.withResolvers<void>();
  const socket = connect(Number(url.port), url.hostname);
  socket.on("close", closed.resolve).on("error", () => {}); // however it closes it
  socket.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  socket.resume();
  await closed.promise;
}
