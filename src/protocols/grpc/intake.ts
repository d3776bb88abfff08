/** How a call is read: no further than its gate, and with an eye on what grpc-js refuses by itself. */

import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status as Status,
} from "@grpc/grpc-js";
import { Gate } from "../../contract/gate.ts";
import { boundMessages, SideCalls } from "./side_calls.ts";
import { session } from "./wire.ts";

type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

export interface IntakeOptions {
  readonly maxMessageBytes: number;
  readonly maxUnjudgedBytes: number;
  /** Beside Session. */
  readonly mostSideCalls: number;
  /** A peer calls a method that there is. */
  called(remote: string): void;
  /** grpc-js ends a call with its own error: a message too large, an unknown compression, ... */
  refused(remote: string, reason: string): void;
}

export class Intake extends ServerInterceptingCall {
  readonly gate: Gate;
  #refusal: string | undefined;
  #ending = false;

  constructor(
    call: ServerInterceptingCallInterface,
    options: IntakeOptions,
    { isSession }: { readonly isSession: boolean },
  ) {
    super(call);
    this.gate = new Gate(options.maxUnjudgedBytes);
    // grpc-js passes by the interceptors with the errors it finds itself; this is where they leave.
    const send = call.sendStatus.bind(call);
    call.sendStatus = (status) => {
      // INTERNAL is its word for a write that failed, so for a connection that is gone already.
      if (this.#ending || status.code === Status.INTERNAL) return send(status);
      this.#ending = true;
      const details = status.code === Status.RESOURCE_EXHAUSTED && isSession
        ? `${status.details}; this server's maxMessageBytes is ${options.maxMessageBytes}`
        : status.details;
      this.#refusal = details;
      options.refused(call.getPeer(), details);
      send({ ...status, details });
    };
  }

  /** Why grpc-js ended the call, where it did. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** grpc-js asks for one message at a time: what is not asked for stays with HTTP/2's window. */
  override startRead(): void {
    void this.gate.enter().then(() => super.startRead());
  }

  override sendStatus(status: Parameters<ServerInterceptingCall["sendStatus"]>[0]): void {
    this.#ending = true;
    super.sendStatus(status);
  }
}

/** The intake of each call, known by the call's metadata: all that interceptors and services share. */
export class Intakes {
  readonly #options: IntakeOptions;
  readonly #intakes = new WeakMap<Metadata, Intake>();
  readonly #sideCalls: SideCalls;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#sideCalls = new SideCalls(options.mostSideCalls);
  }

  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    const isSession = path === session.path;
    const intake = new Intake(call, this.#options, { isSession });
    this.#options.called(call.getPeer());
    if (!isSession) {
      boundMessages(call);
      this.#sideCalls.enter(intake, path);
    }
    const start = intake.start.bind(intake);
    intake.start = (listener: Listener) =>
      start({
        onReceiveMetadata: (metadata) => {
          this.#intakes.set(metadata, intake);
          listener.onReceiveMetadata(metadata);
        },
        onReceiveMessage: (message) => listener.onReceiveMessage(message),
        onReceiveHalfClose: () => listener.onReceiveHalfClose(),
        onCancel: () => {
          this.#sideCalls.leave(intake); // however it ended
          listener.onCancel();
        },
      });
    return intake;
  };

  of(metadata: Metadata): Intake {
    const intake = this.#intakes.get(metadata);
    if (intake === undefined) throw new Error("The call did not pass the interceptor");
    return intake;
  }
}
