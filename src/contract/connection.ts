/** The dialling side of a wire: what `join`, the demo and the tests use to reach a protocol server. */

import type { ClientMessage, ServerMessage } from "./federation_pb.ts";
import type { WireName } from "./protocol_server.ts";

/** One client's connection to one federation over one wire. It owns every socket it uses. */
export interface Connection extends AsyncDisposable {
  readonly wire: WireName;
  /**
   * Resolves when the wire's flow control took the message. In order.
   * @throws {ConnectionLost} when the connection is over.
   */
  send(message: ClientMessage): Promise<void>;
  /**
   * What the server sends, in order; ends when the connection is over. Iterated once. What is not
   * iterated is not read from the wire beyond a bounded amount, so a slow client slows its server.
   */
  readonly messages: AsyncIterable<ServerMessage>;
  /** Why the connection is over; resolves once, never rejects. */
  readonly lost: Promise<string>;
  /** Bytes on the wire so far, as near to the socket as the protocol's library shows them. */
  traffic(): { readonly up: number; readonly down: number };
}

/** What a dialler needs to know beside the URL. */
export interface DialOptions {
  readonly clientId: string;
  /** A Leave that names Hello's nonce, for wires whose server can publish it for a vanished client. */
  readonly will: ClientMessage;
  readonly signal: AbortSignal;
  /** PEM certificates of the authority that vouches for the server, where it is not a public one. */
  readonly ca?: string | undefined;
  /** Proves the client's id. Where others might read it, it does not travel: messages are sealed. */
  readonly token?: string | undefined;
  /** Messages are sealed: what is not the server's for sure ends nothing. */
  readonly sealed?: boolean;
}

/**
 * Connects to the federation a URL names.
 * @throws {TypeError} for a URL that this wire cannot read; its message says what to change.
 * @throws {ConnectionLost} when nobody answers.
 */
export type Dial = (url: URL, options: DialOptions) => Promise<Connection>;

/** The connection could not be made or is over. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}
