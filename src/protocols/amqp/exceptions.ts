/** The reply codes of AMQP 0-9-1 (§1.2 of the reference) and the exceptions that carry them. */

/**
 * `soft` errors close the channel they came up on, `hard` ones the whole connection (§2.2.4 of the
 * reference: reply codes, "channel" and "connection" exceptions).
 */
export const REPLY_CODES = {
  CONTENT_TOO_LARGE: { code: 311, kind: "soft" },
  NO_ROUTE: { code: 312, kind: "soft" },
  CONNECTION_FORCED: { code: 320, kind: "hard" },
  INVALID_PATH: { code: 402, kind: "hard" },
  ACCESS_REFUSED: { code: 403, kind: "soft" },
  NOT_FOUND: { code: 404, kind: "soft" },
  RESOURCE_LOCKED: { code: 405, kind: "soft" },
  PRECONDITION_FAILED: { code: 406, kind: "soft" },
  FRAME_ERROR: { code: 501, kind: "hard" },
  SYNTAX_ERROR: { code: 502, kind: "hard" },
  COMMAND_INVALID: { code: 503, kind: "hard" },
  CHANNEL_ERROR: { code: 504, kind: "hard" },
  UNEXPECTED_FRAME: { code: 505, kind: "hard" },
  RESOURCE_ERROR: { code: 506, kind: "hard" },
  NOT_ALLOWED: { code: 530, kind: "hard" },
  NOT_IMPLEMENTED: { code: 540, kind: "hard" },
  INTERNAL_ERROR: { code: 541, kind: "hard" },
} as const;

export type ReplyName = keyof typeof REPLY_CODES;

/** What `channel.close` and `connection.close` carry. Thrown by whoever refuses a method, caught by its connection. */
export class AmqpException extends Error {
  override readonly name = "AmqpException";
  readonly reply: ReplyName;
  readonly code: number;
  /** Closes the connection, not only the channel. */
  readonly hard: boolean;
  /** Class and method that provoked it; 0 where no method did (1.4 close, class-id). */
  provokedBy = { classId: 0, methodId: 0 };

  /** @param detail One sentence for people; `replyText` puts the code's name before it. */
  constructor(reply: ReplyName, detail: string) {
    super(detail);
    this.reply = reply;
    this.code = REPLY_CODES[reply].code;
    this.hard = REPLY_CODES[reply].kind === "hard";
  }

  get replyText(): string {
    return shortText(`${this.reply} - ${this.message}`);
  }
}

/** Cuts a text to what a shortstr holds: 255 octets of UTF-8 (§4.2.5.3), never within a character. */
export function shortText(text: string): string {
  const octets = new Uint8Array(255);
  const { read } = new TextEncoder().encodeInto(text, octets);
  return text.slice(0, read);
}
