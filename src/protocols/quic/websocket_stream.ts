/** A WebSocket that is read only as far as somebody takes what was read, where there is such a thing. */

import type { CloseInfo } from "./ending.ts";

/** Messages both ways, as the Streams Standard has them. */
export interface MessageStream {
  /** Ends with the connection. Binary messages are of one type or the other, by browser. */
  readonly readable: ReadableStream<Uint8Array | ArrayBuffer | string>;
  readonly writable: WritableStream<Uint8Array>;
  readonly closed: Promise<CloseInfo>;
  close(info: CloseInfo): void;
}

/** Rejects when nobody answers, or the signal fires before. */
export async function openWebSocket(url: URL, signal: AbortSignal): Promise<MessageStream> {
  if (!("WebSocketStream" in globalThis)) return await openPlain(url, signal);
  const stream = new WebSocketStream(url.href, { signal });
  stream.closed.catch(() => {}); // rejects with `opened`
  const { readable, writable } = await stream.opened;
  const closed = stream.closed;
  return { readable, writable, closed, close: (info) => stream.close(info) };
}

/**
 * What all browsers have. It can neither be told to wait nor does it tell when something has left:
 * the window of the contract alone bounds what lies here, in either direction.
 */
async function openPlain(url: URL, signal: AbortSignal): Promise<MessageStream> {
  signal.throwIfAborted();
  const socket = new WebSocket(url.href);
  socket.binaryType = "arraybuffer";
  const closed = new Promise<CloseInfo>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ closeCode: code, reason });
  });
  const readable = new ReadableStream<ArrayBuffer | string>({
    start(controller) {
      socket.onmessage = ({ data }) => controller.enqueue(data);
      void closed.then(() => controller.close());
    },
  });
  const writable = new WritableStream<Uint8Array<ArrayBuffer>>({
    write(message) {
      if (socket.readyState !== WebSocket.OPEN) throw new Error("The WebSocket is closed");
      socket.send(message);
    },
  });
  const abort = () => socket.close();
  signal.addEventListener("abort", abort);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      // Browsers do not tell pages why.
      void closed.then(({ reason }) => reject(signal.reason ?? new Error(reason || "no answer")));
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
  const close = ({ closeCode, reason }: CloseInfo) => socket.close(closeCode, reason);
  return { readable, writable, closed, close };
}
