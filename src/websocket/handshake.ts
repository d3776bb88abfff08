/** What comes before a WebSocket: a request on a TCP connection, and the answer to it. */

import { Verdict } from "../contract/federation_pb.ts";
import type { Tcp } from "./tcp.ts";
import {
  HEAD_BEGIN,
  HEAD_END,
  MAX_HEAD_BYTES,
  readUpgrade,
  type Refusal,
  upgradeAccepted,
  upgradeRefused,
  type UpgradeRequest,
} from "./upgrade.ts";
import { WebSocketLine } from "./line.ts";

export class Handshake {
  readonly #tcp: Tcp;
  #head: Promise<string | undefined> | undefined;

  constructor(tcp: Tcp) {
    this.#tcp = tcp;
  }

  /** What the client asks for, once it has. */
  async request(): Promise<UpgradeRequest | Refusal> {
    const head = await this.#readHead();
    if (head === undefined) {
      return malformed(this.#tcp.loss ?? "The connection opens with no HTTP request");
    }
    const request = readUpgrade(head);
    return typeof request === "string" ? malformed(request) : request;
  }

  /**
   * Opens the WebSocket.
   * @throws {Error} when the connection is over.
   */
  async accept({ key }: UpgradeRequest, subprotocol?: string): Promise<WebSocketLine> {
    await this.#tcp.write(await upgradeAccepted(key, subprotocol));
    return new WebSocketLine(this.#tcp);
  }

  /**
   * Says why there will be no WebSocket; then the connection is to be closed.
   * @throws {Error} when the connection is over.
   */
  async refuse(refusal: Refusal): Promise<void> {
    await this.#tcp.write(upgradeRefused(refusal));
    await this.#readHead(); // closed with something unread, the answer would be lost
  }

  #readHead(): Promise<string | undefined> {
    const limits = { begin: HEAD_BEGIN, end: HEAD_END, maxBytes: MAX_HEAD_BYTES };
    this.#head ??= this.#tcp.takeText(limits);
    return this.#head;
  }
}

function malformed(reason: string): Refusal {
  return { verdict: Verdict.MALFORMED, reason };
}
