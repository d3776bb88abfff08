/**
 * Who is who on the routes of one protocol server, where tokens are required: a route speaks for the
 * client whose token came on it, and for nobody else, until the token expires.
 */

import { sameBytes } from "./bytes.ts";
import { arrivalOf, cover, serverMessage } from "./codec.ts";
import { type ClientMessage, LeaveReason, type Sealed, Verdict } from "./federation_pb.ts";
import type { Answer, Arrival } from "./protocol_server.ts";
import { type Connecting, NONCE_BYTES, Seal, WILL_NUMBER } from "./seal.ts";
import {
  type Bearer,
  EXPIRED,
  isRefused,
  isRevoked,
  readProof,
  readToken,
  type Refusal,
  type Revocations,
  REVOKED,
  type TokenRule,
  type VoidCause,
} from "./token.ts";
import { systemTime, type TimeOfDay } from "./time_of_day.ts";

/** Where a client speaks: a route's id, or an address behind a broker. */
export type Place = string | number;

/** What becomes of a message. */
export type Passage =
  /** It is what the client said, in the open. `isFirst`: of a connection that is new in this place. */
  | { readonly kind: "passes"; readonly arrival: Arrival; readonly isFirst: boolean }
  /** To be sent back in the place of a verdict. */
  | { readonly kind: "challenged"; readonly challenge: ReturnType<typeof serverMessage> }
  | { readonly kind: "refused"; readonly answer: Answer | undefined; readonly detail: string }
  /** Somebody else's: nothing is said to it, and nothing changes. */
  | { readonly kind: "dropped"; readonly detail: string };

export interface GatekeeperOptions {
  readonly rule: TokenRule;
  /** Tokens in the open are not taken: others may read what comes this way. */
  readonly sealedOnly: boolean;
  /** The token of who speaks there is void from now on. */
  readonly voided: (place: Place, cause: VoidCause) => void;
  readonly time?: TimeOfDay;
}

/** Whose messages are heard in a place, and what seals them, if anything does. */
interface Badge {
  readonly bearer: Bearer;
  readonly sealed: SealedConnection | undefined;
  cancel: () => void;
}

interface SealedConnection {
  readonly nonce: Uint8Array;
  readonly challenge: Uint8Array;
  readonly up: Seal;
  readonly down: Seal;
  /** Of what is fixed before there is a challenge. */
  readonly will: Seal;
}

const NOTHING = new Uint8Array();
/** Clients that have knocked and said nothing further yet, at most; each has a token. */
const MOST_CHALLENGES = 10_000;
const SAY_HELLO = "say Hello with a token on this connection first";
const MISSING = "this federation asks for a token; get one from its operator " +
  "(`tributary token create`) and join with --token";
const MUST_SEAL =
  "others can read what comes this way: a token must not, and messages are sealed " +
  "(see Sealed in wire.md)";

export class Gatekeeper implements Disposable {
  readonly #options: GatekeeperOptions;
  readonly #time: TimeOfDay;
  readonly #badges = new Map<Place, Badge>();
  /** By client: one at a time, used once, so that who repeats what was said before opens nothing. */
  readonly #challenges = new Map<string, Uint8Array>();

  constructor(options: GatekeeperOptions) {
    this.#options = options;
    this.#time = options.time ?? systemTime;
  }

  /** Whether somebody speaks there in the open. */
  isOpen(place: Place): boolean {
    const badge = this.#badges.get(place);
    return badge !== undefined && badge.sealed === undefined;
  }

  hear(place: Place, { route, message }: Extract<Arrival, { kind: "message" }>): Passage {
    if (message.body.case !== "sealed") return this.#hearOpen(place, { route, message });
    const { value: sealed } = message.body;
    const badge = this.#badges.get(place);
    const opened = badge?.sealed !== undefined && badge.bearer.clientId === message.clientId &&
        sameBytes(badge.sealed.nonce, sealed.nonce)
      ? this.#goOn(badge, badge.sealed, sealed)
      : this.#begin(place, message, sealed);
    if ("kind" in opened) return opened;
    const arrival = arrivalOf(route, sealed.body);
    if (arrival.kind !== "message") return { kind: "passes", arrival, isFirst: opened.isFirst };
    const inner = arrival.message;
    const refused = (detail: string): Passage => {
      const answer = refusal(inner, detail);
      if (answer !== undefined) this.cover(place, answer);
      return { kind: "refused", answer, detail };
    };
    const fault = this.#faultOf(opened.badge);
    if (fault !== undefined) return refused(fault.detail);
    if (inner.clientId !== message.clientId) return refused("the token is another client's");
    if (opened.isWill && !isLastWill(inner)) return dropped("it repeats a last will");
    return { kind: "passes", arrival, isFirst: opened.isFirst };
  }

  #hearOpen(place: Place, arrival: Omit<Extract<Arrival, { kind: "message" }>, "kind">): Passage {
    const { message } = arrival;
    const { clientId, body } = message;
    const badge = this.#badges.get(place);
    const refused = (detail: string): Passage => ({
      kind: "refused",
      answer: refusal(message, detail),
      detail,
    });
    if (this.#options.sealedOnly) {
      const hasNone = body.case !== "hello" || body.value.token === "";
      return refused(hasNone ? MISSING : MUST_SEAL);
    }
    if (badge?.sealed !== undefined) return refused("this connection's messages are sealed");
    if (body.case !== "hello") {
      if (badge === undefined || badge.bearer.clientId !== clientId) return refused(SAY_HELLO);
      const fault = this.#faultOf(badge);
      if (fault !== undefined) return refused(fault.detail);
      return { kind: "passes", arrival: { kind: "message", ...arrival }, isFirst: false };
    }
    if (body.value.token === "") return refused(MISSING);
    const bearer = readToken(body.value.token, this.#options.rule, clientId);
    if (isRefused(bearer)) return refused(bearer.detail);
    const next: Badge = { bearer, sealed: undefined, cancel: () => {} };
    if (this.#hasExpired(next)) return refused(EXPIRED.detail);
    this.#admit(place, next);
    body.value.token = ""; // nobody further on needs it
    return {
      kind: "passes",
      arrival: { kind: "message", ...arrival },
      isFirst: badge === undefined,
    };
  }

  /** One more message of a connection that is known. */
  #goOn(
    badge: Badge,
    connection: SealedConnection,
    sealed: Sealed,
  ): { badge: Badge; isFirst: boolean; isWill: boolean } | Passage {
    if (sameBytes(sealed.challenge, connection.challenge)) {
      if (!connection.up.takes(sealed)) return dropped("it is forged or repeated");
      return { badge, isFirst: false, isWill: false };
    }
    const isWill = sealed.challenge.length === 0 && sealed.number === WILL_NUMBER &&
      sealed.body.length > 0 && connection.will.proves(sealed);
    return isWill ? { badge, isFirst: false, isWill } : dropped("it is forged or repeated");
  }

  /** The first messages of a connection: a knock, and then one that has the challenge to it. */
  #begin(
    place: Place,
    message: ClientMessage,
    sealed: Sealed,
  ): { badge: Badge; isFirst: boolean; isWill: boolean } | Passage {
    const { rule } = this.#options;
    const { clientId } = message;
    const { nonce, challenge } = sealed;
    const connecting = { federation: rule.federation, clientId, nonce };
    if (nonce.length !== NONCE_BYTES) return dropped("its nonce has not 16 bytes");
    const bearer = readProof(sealed.token, rule, connecting);
    if (isRefused(bearer)) {
      return { kind: "refused", answer: refusal(message, bearer.detail), detail: bearer.detail };
    }
    const due = this.#challenge(clientId);
    const up = new Seal(bearer.signature, "up", { ...connecting, challenge });
    const isKnock = sealed.body.length === 0 && challenge.length === 0;
    if (!isKnock && challenge.length === 0) return dropped("it repeats a last will");
    if (isKnock ? !up.proves(sealed) : !up.takes(sealed)) return dropped("it is forged");
    if (isKnock || !sameBytes(challenge, due)) {
      return { kind: "challenged", challenge: challengeOf(bearer, connecting, due) };
    }
    this.#challenges.delete(clientId);
    const badge: Badge = {
      bearer,
      sealed: {
        nonce,
        challenge,
        up,
        down: new Seal(bearer.signature, "down", { ...connecting, challenge }),
        will: new Seal(bearer.signature, "up", { ...connecting, challenge: NOTHING }),
      },
      cancel: () => {},
    };
    this.#admit(place, badge);
    return { badge, isFirst: true, isWill: false };
  }

  #challenge(clientId: string): Uint8Array {
    const due = this.#challenges.get(clientId) ??
      crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    if (!this.#challenges.has(clientId) && this.#challenges.size >= MOST_CHALLENGES) {
      const [oldest] = this.#challenges.keys();
      if (oldest !== undefined) this.#challenges.delete(oldest);
    }
    this.#challenges.set(clientId, due);
    return due;
  }

  #admit(place: Place, badge: Badge): void {
    this.forget(place);
    this.#badges.set(place, badge);
    this.#watch(place, badge);
  }

  /** Says when the badge is over. */
  #watch(place: Place, badge: Badge): void {
    const { expiresMs } = badge.bearer;
    if (expiresMs === undefined || this.#hasExpired(badge)) return;
    badge.cancel = this.#time.after(expiresMs - this.#time.nowMs(), () => {
      if (this.#hasExpired(badge)) this.#options.voided(place, "expired");
      else this.#watch(place, badge); // a clock was set back, or the pause too long for a timer
    });
  }

  #hasExpired({ bearer: { expiresMs } }: Badge): boolean {
    return expiresMs !== undefined && this.#time.nowMs() >= expiresMs;
  }

  #faultOf(badge: Badge): Refusal | undefined {
    if (isRevoked(badge.bearer, this.#options.rule.revoked)) return REVOKED;
    return this.#hasExpired(badge) ? EXPIRED : undefined;
  }

  /** The operator has taken tokens back: from now on they are refused, and who speaks by one is told. */
  revoke(revoked: Revocations): void {
    this.#options.rule.revoked = revoked;
    for (const [place, { bearer }] of this.#badges) {
      if (isRevoked(bearer, revoked)) this.#options.voided(place, "revoked");
    }
  }

  /** Sees to it that a message leaves sealed, where its client's are. */
  cover(place: Place, message: ReturnType<typeof serverMessage>): void {
    const connection = this.#badges.get(place)?.sealed;
    if (connection === undefined) return;
    const { down, challenge } = connection;
    cover(message, (bytes) => {
      return serverMessage({ body: { case: "sealed", value: { ...down.next(bytes), challenge } } });
    });
  }

  /** Nobody speaks there any more. */
  forget(place: Place): void {
    this.#badges.get(place)?.cancel();
    this.#badges.delete(place);
  }

  [Symbol.dispose](): void {
    for (const place of [...this.#badges.keys()]) this.forget(place);
  }
}

function dropped(detail: string): Passage {
  return { kind: "dropped", detail };
}

/** The server's part of a connection's beginning: only who can read the token's signature has made it. */
function challengeOf(bearer: Bearer, connecting: Connecting, challenge: Uint8Array) {
  const seal = new Seal(bearer.signature, "down", { ...connecting, challenge });
  const value = { ...seal.at(WILL_NUMBER, NOTHING), challenge };
  return serverMessage({ body: { case: "sealed", value } });
}

/** Undefined where no verdict is asked for. */
export function refusal({ sequence }: ClientMessage, detail: string): Answer | undefined {
  if (sequence === 0) return undefined;
  const value = { sequence, verdict: Verdict.UNAUTHORISED, detail };
  return serverMessage({ body: { case: "receipt", value } }) as Answer;
}

function isLastWill({ body }: ClientMessage): boolean {
  return body.case === "leave" && body.value.reason === LeaveReason.LOST;
}
