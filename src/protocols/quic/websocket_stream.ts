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

export interface OpenOptions {
  readonly signal: AbortSignal;
  /** PEM. For Deno alone: browsers have authorities of their own. */
  readonly ca?: string | undefined;
}

/** Rejects when nobody answers, or the signal fires before. */
export async function openWebSocket(url: URL, options: OpenOptions): Promise<MessageStream> {
  const { signal, ca } = options;
  if (ca !== undefined && url.protocol === "wss:") return await openTrusting(url, { signal, ca });
  const open = () => new WebSocket(url.href);
  if (!("WebSocketStream" in globalThis)) return await openPlain(open, signal);
  const stream = new WebSocketStream(url.href, { signal });
  stream.closed.catch(() => {}); // rejects with `opened`
  const { readable, writable } = await stream.opened;
  const closed = stream.closed;
  return { readable, writable, closed, close: (info) => stream.close(info) };
}

/** Deno's WebSocketStream takes no authority, its WebSocket does, as browsers' do not. */
type TrustingWebSocket = new (url: string, options: { client: Deno.HttpClient }) => WebSocket;

async function openTrusting(
  url: URL,
  { signal, ca }: { signal: AbortSignal; ca: string },
): Promise<MessageStream> {
  const client = Deno.createHttpClient({ caCerts: [ca] });
  try {
    const Trusting = WebSocket as unknown as TrustingWebSocket;
    const stream = await openPlain(() => new Trusting(url.href, { client }), signal);
    void stream.closed.then(() => client.close());
    return stream;
  } catch (error) {
    client.close();
    throw error;
  }
}

/**
 * What all browsers have. It can neither be told to wait nor does it tell when something has left:
 * the window of the contract alone bounds what lies here, in either direction.
 */
async function openPlain(
  open: () => WebSocket,
  signal: AbortSignal,
): Promise<MessageStream> {
  signal.throwIfAborted();
  const socket = open();
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
      // Browsers do not tell pages why; Deno does.
      let failure = "";
      socket.onerror = (event) => {
        if (event instanceof ErrorEvent) failure = event.message;
      };
      void closed.then(({ reason }) =>
        reject(signal.reason ?? new Error(reason || failure || "no answer"))
      );
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
  const close = ({ closeCode, reason }: CloseInfo) => socket.close(closeCode, reason);
  return { readable, writable, closed, close };
}
