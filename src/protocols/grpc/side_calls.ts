/**
 * Calls beside Session: health and reflection. Nobody has to prove anything for them, and they are on
 * the sockets of clients, so they are bounded by themselves: in what one holds, and together.
 */

import { type ServerInterceptingCallInterface, status as Status } from "@grpc/grpc-js";
import { ServerReflection } from "./standard/reflection_pb.ts";

/** Questions are names. */
const MOST_MESSAGE_BYTES = 4096;
/** An operator looks around. Whoever does not read the answers keeps a stream's window full. */
const MOST_REFLECTIONS = 8;

const CROWDED = {
  code: Status.RESOURCE_EXHAUSTED,
  details: "Others need this call's place; try again later",
};

/** The members of grpc-js 1.14's calls that bound a message: its own option is for all methods. */
interface Inside {
  maxReceiveMessageSize: number;
  readonly decoder: { maxReadMessageLength: number };
}

/** A larger message ends its call, once its length is known. */
export function boundMessages(call: ServerInterceptingCallInterface): void {
  const inside = call as unknown as Inside;
  inside.maxReceiveMessageSize = MOST_MESSAGE_BYTES;
  inside.decoder.maxReadMessageLength = MOST_MESSAGE_BYTES;
}

/** Those under way, oldest first: once they are too many, the oldest gives its place up. */
export class SideCalls {
  readonly #mostCalls: number;
  readonly #calls = new Map<ServerInterceptingCallInterface, string>();

  constructor(mostCalls: number) {
    this.#mostCalls = mostCalls;
  }

  enter(call: ServerInterceptingCallInterface, path: string): void {
    this.#calls.set(call, path);
    const crowded = this.#crowded(path);
    if (crowded === undefined) return;
    this.leave(crowded);
    crowded.sendStatus(CROWDED);
  }

  /** Whose place is needed, now that a call of this method has come. */
  #crowded(path: string): ServerInterceptingCallInterface | undefined {
    if (isReflection(path)) {
      const reflections = [...this.#calls].filter(([, each]) => isReflection(each));
      if (reflections.length > MOST_REFLECTIONS) return reflections[0]?.[0];
    }
    if (this.#calls.size <= this.#mostCalls) return undefined;
    const [oldest] = this.#calls.keys();
    return oldest;
  }

  leave(call: ServerInterceptingCallInterface): void {
    this.#calls.delete(call);
  }
}

/** By both of its names, v1 and v1alpha. */
function isReflection(path: string): boolean {
  const method = ServerReflection.method.serverReflectionInfo.name;
  return path.endsWith(`.ServerReflection/${method}`);
}
