/** MQTT in a web page: mqtt.js as browsers load it, on the browser's own WebSocket. */

import "mqtt"; // in the module graph, so that it can be resolved to its files
import { decodeServerMessage, encodeClientMessage } from "../../src/contract/codec.ts";
import { type Connection, ConnectionLost, type Dial } from "../../src/contract/connection.ts";
import type { ClientMessage, ServerMessage } from "../../src/contract/federation_pb.ts";
import { topicsOf } from "../../src/protocols/mqtt/wire.ts";
import type { Chromium, Tab } from "./chromium.ts";

const PAGE = `<!doctype html><title>MQTT</title><script type="module">
import mqtt from "./mqtt.js";
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
window.enter = async (url, { clientId, protocolVersion, up, down, will }) => {
  const heard = [];
  let wake = () => {};
  let over;
  const client = mqtt.connect(url, {
    clientId, protocolVersion, reconnectPeriod: 0,
    will: { topic: up, payload: bytes(will), qos: 1, retain: false },
  });
  const end = (reason) => { over ??= reason; wake(); };
  client.on("message", (topic, payload) => { if (topic === down) heard.push(hex(payload)); wake(); });
  client.on("error", (error) => end(error.message));
  client.on("close", () => end("closed"));
  window.tell = (text) => { client.publish(up, bytes(text), { qos: 1 }); };
  window.leave = () => client.endAsync();
  window.hear = async () => {
    while (heard.length === 0 && over === undefined) await new Promise((resolve) => wake = resolve);
    return heard.length > 0 ? heard.splice(0) : over;
  };
  await new Promise((resolve, reject) => {
    client.once("connect", resolve);
    client.once("close", () => reject(new Error(over)));
  });
  await client.subscribeAsync(down, { qos: 1 });
};
</script>`;

/** Serves the page; its URL. */
export class PageServer implements AsyncDisposable {
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async ({ url }) => {
      const [type, content] = new URL(url).pathname === "/mqtt.js"
        ? [
          "text/javascript",
          await Deno.readFile(new URL(import.meta.resolve("mqtt/dist/mqtt.esm"))),
        ]
        : ["text/html", PAGE];
      return new Response(content, { headers: { "content-type": type } });
    },
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** What dials from a tab of its own, which shows the page at `pageUrl`. */
export function dialFrom(browser: Chromium, pageUrl: string): Dial {
  return async (url, { clientId, will }) => {
    const tab = await browser.show(pageUrl);
    const { up, down } = topicsOf(decodeURIComponent(url.pathname.slice(1)), clientId);
    const protocolVersion = url.searchParams.get("v") === "4" ? 4 : 5;
    const told = { clientId, protocolVersion, up, down, will: encodeClientMessage(will).toHex() };
    await tab.evaluate(`enter("ws://${url.host}", ${JSON.stringify(told)})`);
    return new PageConnection(tab);
  };
}

class PageConnection implements Connection {
  readonly wire = "mqtt";
  readonly lost: Promise<string>;
  readonly #lost = Promise.withResolvers<string>();
  readonly #tab: Tab;

  constructor(tab: Tab) {
    this.#tab = tab;
    this.lost = this.#lost.promise;
  }

  get messages(): AsyncIterable<ServerMessage> {
    return this.#hear();
  }

  async send(message: ClientMessage): Promise<void> {
    try {
      await this.#tab.evaluate(`tell("${encodeClientMessage(message).toHex()}")`);
    } catch (error) {
      throw new ConnectionLost(String(error));
    }
  }

  traffic(): { up: number; down: number } {
    return { up: 0, down: 0 }; // a page is not told
  }

  async *#hear(): AsyncGenerator<ServerMessage> {
    for (;;) {
      const heard = await this.#tab.evaluate("hear()");
      if (!Array.isArray(heard)) return this.#lost.resolve(String(heard));
      for (const hex of heard) yield decodeServerMessage(Uint8Array.fromHex(hex));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tab.evaluate("leave()");
    await this.lost;
  }
}
