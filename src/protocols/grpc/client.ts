/** The dialling side of gRPC: one channel with one Session call. */

import "./http2.ts";
import "./tls.ts";
import { Buffer } from "node:buffer";
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  logVerbosity,
  setLogVerbosity,
  status as Status,
  type StatusObject,
} from "@grpc/grpc-js";
import { decodeServerMessage, encodeClientMessage } from "../../contract/codec.ts";
import { type Connection, ConnectionLost, type DialOptions } from "../../contract/connection.ts";
import type { ClientMessage, ServerMessage } from "../../contract/federation_pb.ts";
import { grpcRefusal } from "./support.ts";
import { metadataFor, PREFIX_BYTES, session, targetOf } from "./wire.ts";

// What it would print, the status of the call says.
setLogVerbosity(logVerbosity.NONE);

const MIB = 1024 * 1024;

/** What was sent may leave for so long when the connection is closed. */
const GRACE_MS = 1000;

const channelOptions: ChannelOptions = {
  // A connection of its own, without retries, proxies from the environment and TXT look-ups.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  "grpc.service_config_disable_resolution": 1,
  // A server that vanished without a word is noticed within 30 s.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 20_000,
  // Parts are small; this only keeps a broken server from filling the memory.
  "grpc.max_receive_message_length": 64 * MIB,
  "grpc-node.flow_control_window": 4 * MIB,
};

/**
 * Connects to `grpc://host:port/federation-name`, or to `grpcs://` for TLS.
 * @throws {TypeError} for another URL.
 * @throws {ConnectionLost} when nobody answers, or the server refuses.
 */
export async function dial(url: URL, { signal, ca }: DialOptions): Promise<Connection> {
  const { target, federation, isTls } = targetOf(url);
  signal.throwIfAborted();
  const refusal = grpcRefusal();
  if (refusal !== undefined) throw new ConnectionLost(`Cannot join ${url.href}: ${refusal}`);
  const channel = isTls
    ? credentials.createSsl(ca === undefined ? null : Buffer.from(ca))
    : credentials.createInsecure();
  const client = new Client(target, channel, channelOptions);
  const call = client.makeBidiStreamRequest(
    session.path,
    session.requestSerialize,
    session.responseDeserialize,
    metadataFor(federation),
  );
  const connection = new GrpcConnection(client, call);
  const cancel = () => call.cancel();
  signal.addEventListener("abort", cancel);
  const reason = await Promise.race([connection.accepted, connection.lost]);
  signal.removeEventListener("abort", cancel);
  signal.throwIfAborted();
  if (reason !== undefined) throw new ConnectionLost(`Cannot join ${url.href}: ${reason}`);
  return connection;
}

class GrpcConnection implements Connection {
  readonly wire = "grpc";
  readonly messages: AsyncIterable<ServerMessage>;
  /** Resolves with the response headers, which the server sends at once where it lets us in. */
  readonly accepted: Promise<undefined>;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly #lost = Promise.withResolvers<string>();
  readonly #sending = new Set<PromiseWithResolvers<void>>();
  readonly #traffic = { up: 0, down: 0 };
  #over: string | undefined;
  #reading = false;

  constructor(client: Client, call: ClientDuplexStream<Uint8Array, Uint8Array>) {
    this.#client = client;
    this.#call = call;
    this.messages = this.#read();
    this.accepted = new Promise((resolve) => call.once("metadata", () => resolve(undefined)));
    call.on("error", () => {}); // the status tells the same, and comes for good ends, too
    call.once("status", (status) => this.#end(reasonOf(status)));
  }

  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  async send(message: ClientMessage): Promise<void> {
    if (this.#over !== undefined) throw new ConnectionLost(this.#over);
    const bytes = encodeClientMessage(message);
    this.#traffic.up += PREFIX_BYTES + bytes.length;
    // grpc-js forgets the callback of a write that the end of the call cut short.
    const sending = Promise.withResolvers<void>();
    this.#sending.add(sending);
    this.#call.write(bytes, () => sending.resolve());
    await sending.promise;
    this.#sending.delete(sending);
  }

  traffic(): { readonly up: number; readonly down: number } {
    return { ...this.#traffic };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over === undefined) {
      this.#over = "Closed by this client";
      this.#call.end();
      // The server's status comes behind its messages, also where nobody reads them.
      if (!this.#reading) this.#call.resume();
    }
    const grace = setTimeout(() => this.#call.cancel(), GRACE_MS);
    await this.#lost.promise;
    clearTimeout(grace);
  }

  async *#read(): AsyncGenerator<ServerMessage> {
    this.#reading = true;
    try {
      for await (const bytes of this.#call.iterator({ destroyOnReturn: false })) {
        this.#traffic.down += PREFIX_BYTES + bytes.length;
        yield decodeServerMessage(bytes);
      }
    } catch (error) {
      // The other errors are the call's, and `lost` tells them.
      if (!(error instanceof SyntaxError)) return;
      this.#over ??= error.message;
      this.#call.cancel();
    } finally {
      this.#reading = false;
    }
  }

  #end(reason: string): void {
    this.#over ??= reason;
    for (const sending of this.#sending) sending.reject(new ConnectionLost(this.#over));
    this.#sending.clear();
    this.#lost.resolve(this.#over);
    this.#client.close();
  }
}

/** A session that ended is not a connection that broke: gRPC says OK for the former alone. */
function reasonOf({ code, details }: StatusObject): string {
  return code === Status.OK
    ? "The server ended the session"
    : `The connection is lost: ${Status[code]}: ${timeless(details)}`;
}

/** The library says when it failed to connect: what stays the same would never be said twice alike. */
function timeless(details: string): string {
  return details.replace(/ \(\d{4}-\d\d-\d\dT[^)]*\)/g, "").replace(/\.? Resolution note: *$/, "");
}
