/** The Worker that owns the HTTP listener: it may listen on its port and read what it serves, and nothing else. */

import { ListenError } from "../contract/protocol_server.ts";
import type { Downward, Port, Topic, Upward } from "./pipe.ts";
import { WebServer } from "./server.ts";

// The global scope of a Worker has both members; its type is that of the main thread.
const port = globalThis as unknown as Port<Upward, Downward>;
const asked = new Map<number, PromiseWithResolvers<string>>();
let server: WebServer | undefined;
let nextId = 1;

port.onmessage = ({ data: message }) => {
  switch (message.kind) {
    case "start":
      server = new WebServer(message.options, ask, { files: message.files, refused });
      void start(server);
      return;
    case "reply":
      asked.get(message.id)?.resolve(message.text);
      asked.delete(message.id);
      return;
    case "rejected":
      asked.get(message.id)?.reject(new Error(message.reason));
      asked.delete(message.id);
      return;
    case "close":
      void close();
      return;
    default:
      message satisfies never;
  }
};

function refused(remote: string, reason: string): void {
  port.postMessage({ kind: "refused", remote, reason });
}

function ask(topic: Topic): Promise<string> {
  const id = nextId++;
  const answer = Promise.withResolvers<string>();
  asked.set(id, answer);
  port.postMessage({ kind: "ask", id, topic });
  return answer.promise;
}

async function start(server: WebServer): Promise<void> {
  try {
    port.postMessage({ kind: "listening", url: await server.listen() });
    await server.closed;
  } catch (error) {
    // Errors cross as data: a clone of an Error would lose its class.
    const reason = error instanceof Error ? error.message : String(error);
    port.postMessage({ kind: "failed", reason, operator: error instanceof ListenError });
  }
}

async function close(): Promise<void> {
  await server?.[Symbol.asyncDispose]();
  port.postMessage({ kind: "closed" });
}
