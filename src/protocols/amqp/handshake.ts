/** How a connection is opened: start, tune, open (§2.2.4, 1.4). Knows no socket. */

import { isClientId } from "../../contract/client_id.ts";
import { AmqpException } from "./exceptions.ts";
import type { FieldValue, Table } from "./fields.ts";
import { text } from "./fields.ts";
import { FRAME_MIN_BYTES } from "./frames.ts";
import type { Method, MethodFields } from "./methods.ts";
import { PRODUCT } from "./wire.ts";

/** What the server proposes. */
export interface Offer {
  readonly channelMax: number;
  readonly frameMaxBytes: number;
  readonly heartbeatSeconds: number;
  /** Beside "/", the federation's name is a name of the one virtual host: so its URL works anywhere. */
  readonly federation: string;
}

/** What was agreed upon. */
export interface Agreement {
  readonly clientId: string;
  readonly channelMax: number;
  readonly frameMaxBytes: number;
  /** 0: none. */
  readonly heartbeatSeconds: number;
  /** Capabilities the client names. */
  readonly notifiesCancel: boolean;
  readonly notifiesBlocked: boolean;
}

export type Step =
  | { readonly kind: "tune"; readonly fields: MethodFields<"connection.tune"> }
  /** Frames of this size may come from now on. */
  | { readonly kind: "tuned"; readonly frameMaxBytes: number }
  | { readonly kind: "open"; readonly agreement: Agreement }
  /** Without an exception, the socket is closed without a word, as the clause demands. */
  | { readonly kind: "refuse"; readonly reason: string; readonly exception?: AmqpException };

const MECHANISM = "PLAIN";

const CAPABILITIES = [
  "publisher_confirms",
  "basic.nack",
  "consumer_cancel_notify",
  "connection.blocked",
  "per_consumer_qos",
  "authentication_failure_close",
];

export function startFields(): MethodFields<"connection.start"> {
  const yes: FieldValue = { type: "t", value: true };
  return {
    versionMajor: 0,
    versionMinor: 9,
    serverProperties: new Map<string, FieldValue>([
      ["product", text(PRODUCT)],
      ["platform", text("Deno")],
      ["information", text("Federated learning; exchanges fl.up and fl.down")],
      ["capabilities", { type: "F", value: new Map(CAPABILITIES.map((name) => [name, yes])) }],
    ]),
    mechanisms: new TextEncoder().encode(MECHANISM),
    locales: new TextEncoder().encode("en_US"),
  };
}

export class Handshake {
  readonly #offer: Offer;
  #clientId: string | undefined;
  #properties: Table = new Map();
  #tuned: Pick<Agreement, "channelMax" | "frameMaxBytes" | "heartbeatSeconds"> | undefined;

  constructor(offer: Offer) {
    this.#offer = offer;
  }

  take(method: Method): Step {
    if (this.#clientId === undefined && method.name === "connection.start-ok") {
      return this.#startOk(method.fields);
    }
    if (this.#clientId !== undefined && this.#tuned === undefined) {
      if (method.name === "connection.tune-ok") return this.#tuneOk(method.fields);
    }
    if (this.#tuned !== undefined && method.name === "connection.open") {
      return this.#open(method.fields.virtualHost);
    }
    // §2.2.4: before Open there is no hand-shake for errors
    return refuse(`${method.name} came out of turn while the connection was opened`);
  }

  #startOk(fields: MethodFields<"connection.start-ok">): Step {
    if (fields.mechanism !== MECHANISM) {
      // 1.4 start-ok, mechanism, rule "validity"
      return refuse(`it asked for the mechanism '${fields.mechanism}', which was not offered`);
    }
    this.#properties = fields.clientProperties;
    // RFC 4616: authorization identity, NUL, user name, NUL, password
    const [, clientId, password] = new TextDecoder().decode(fields.response).split("\0");
    if (clientId === undefined || password === undefined) {
      return refuse("its PLAIN response is not made of three parts");
    }
    if (!isClientId(clientId)) {
      const reason = `its user name '${clientId}' is no client id: 1 to 64 of A-Z a-z 0-9 . _ -`;
      return this.#has("authentication_failure_close")
        ? refuse(reason, new AmqpException("ACCESS_REFUSED", reason))
        : refuse(reason);
    }
    this.#clientId = clientId;
    const { channelMax, frameMaxBytes, heartbeatSeconds } = this.#offer;
    const fieldsOut = { channelMax, frameMax: frameMaxBytes, heartbeat: heartbeatSeconds };
    return { kind: "tune", fields: fieldsOut };
  }

  #tuneOk(fields: MethodFields<"connection.tune-ok">): Step {
    // 0 sets no limit of the client's own, so that the server's stands.
    const channelMax = fields.channelMax || this.#offer.channelMax;
    const frameMaxBytes = fields.frameMax || this.#offer.frameMaxBytes;
    // 1.4 tune-ok, rules "upper-limit" and "minimum"
    if (channelMax > this.#offer.channelMax) {
      return refuse(`it wants ${channelMax} channels where ${this.#offer.channelMax} were offered`);
    }
    if (frameMaxBytes > this.#offer.frameMaxBytes || frameMaxBytes < FRAME_MIN_BYTES) {
      return refuse(
        `it wants frames of ${frameMaxBytes} octets where ${FRAME_MIN_BYTES} to ` +
          `${this.#offer.frameMaxBytes} were offered`,
      );
    }
    this.#tuned = { channelMax, frameMaxBytes, heartbeatSeconds: fields.heartbeat };
    return { kind: "tuned", frameMaxBytes };
  }

  #open(virtualHost: string): Step {
    if (virtualHost !== "/" && virtualHost !== this.#offer.federation) {
      // §1.2: 402 is "an unknown virtual host"
      const reason = `no virtual host '${virtualHost}': it is '/'`;
      return refuse(reason, new AmqpException("INVALID_PATH", reason));
    }
    if (this.#clientId === undefined || this.#tuned === undefined) return refuse("out of turn");
    const agreement = {
      clientId: this.#clientId,
      ...this.#tuned,
      notifiesCancel: this.#has("consumer_cancel_notify"),
      notifiesBlocked: this.#has("connection.blocked"),
    };
    return { kind: "open", agreement };
  }

  #has(capability: string): boolean {
    const capabilities = this.#properties.get("capabilities");
    if (capabilities?.type !== "F") return false;
    const named = capabilities.value.get(capability);
    return named?.type === "t" && named.value;
  }
}

function refuse(reason: string, exception?: AmqpException): Step {
  return exception === undefined
    ? { kind: "refuse", reason }
    : { kind: "refuse", reason, exception };
}
