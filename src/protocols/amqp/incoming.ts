/** A published message while its frames come in: method, header, bodies (§4.2.6). */

import { AmqpException } from "./exceptions.ts";
import type { MethodFields } from "./methods.ts";
import type { Pool } from "./pool.ts";
import { type ContentHeader, decodeContentHeader } from "./properties.ts";

/** A published message, whole. */
export interface Published {
  readonly method: MethodFields<"basic.publish">;
  readonly header: ContentHeader;
  /** Owned. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Puts one content together. The methods throw AmqpException for what the clauses forbid. */
export class Incoming {
  readonly #method: MethodFields<"basic.publish">;
  readonly #maxMessageBytes: number;
  readonly #room: Pool;
  #header: ContentHeader | undefined;
  #body: Uint8Array<ArrayBuffer> | undefined;
  #bodyBytes = 0;

  /** @param room What the connection's unfinished contents take together. */
  constructor(method: MethodFields<"basic.publish">, maxMessageBytes: number, room: Pool) {
    this.#method = method;
    this.#maxMessageBytes = maxMessageBytes;
    this.#room = room;
  }

  /** Takes the header; a message without a body is whole with it. */
  header(payload: Uint8Array): Published | undefined {
    if (this.#header !== undefined) throw unexpected("a second content header in one content");
    const header = decodeContentHeader(payload);
    if (header instanceof AmqpException) throw header;
    if (header.bodyBytes > this.#maxMessageBytes) {
      // 1.8: 311 is "content larger than the server could accept"; its body is never kept
      throw new AmqpException(
        "CONTENT_TOO_LARGE",
        `a message of ${header.bodyBytes} bytes where ${this.#maxMessageBytes} are the limit`,
      );
    }
    if (!this.#room.take(Number(header.bodyBytes))) {
      throw new AmqpException(
        "RESOURCE_ERROR",
        "the contents under way on this connection are too large together; publish one by one",
      );
    }
    this.#header = header;
    return this.#whole();
  }

  body(payload: Uint8Array): Published | undefined {
    if (this.#header === undefined) throw unexpected("a content body without its header");
    const length = Number(this.#header.bodyBytes);
    if (this.#bodyBytes + payload.length > length) {
      throw unexpected(`more than the ${length} octets of body that were announced`);
    }
    // Not before the first octets are there: a header alone must not cost memory.
    if (payload.length === length) this.#body = payload.slice();
    else (this.#body ??= new Uint8Array(length)).set(payload, this.#bodyBytes);
    this.#bodyBytes += payload.length;
    return this.#whole();
  }

  /** The content is whole, or will never be. */
  end(): void {
    this.#room.give(Number(this.#header?.bodyBytes ?? 0));
    this.#header = undefined;
  }

  #whole(): Published | undefined {
    const header = this.#header;
    if (header === undefined || this.#bodyBytes < Number(header.bodyBytes)) return undefined;
    this.end();
    return { method: this.#method, header, body: this.#body ?? new Uint8Array() };
  }
}

function unexpected(detail: string): AmqpException {
  return new AmqpException("UNEXPECTED_FRAME", detail);
}
