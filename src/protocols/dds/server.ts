/** Tributary over DDS (OMG DDS 1.4, DDSI-RTPS 2.5): one reader for all clients, one writer for each. */

import type { ServerMessage } from "../../contract/federation_pb.ts";
import type {
  Address,
  ProtocolServer,
  Route,
  SendOutcome,
  Traffic,
  Upcalls,
} from "../../contract/protocol_server.ts";
import type { ServerOptions } from "../../contract/server_options.ts";
import { bind, type Binding } from "./binding.ts";
import { Clientele } from "./clientele.ts";
import { answerClaims } from "./claim.ts";
import type { Options } from "./options.ts";
import { urlOf } from "./wire.ts";

export class DdsServer implements ProtocolServer {
  readonly #server: ServerOptions;
  readonly #own: Options;
  readonly #closed = Promise.withResolvers<void>();
  readonly #stack = new AsyncDisposableStack();
  #listening: Promise<unknown> | undefined;
  #clientele: Clientele | undefined;
  #disposing: Promise<void> | undefined;

  constructor(server: ServerOptions, own: Options) {
    this.#server = server;
    this.#own = own;
    this.#closed.promise.catch(() => {}); // whoever needs it awaits it
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async listen(upcalls: Upcalls): Promise<readonly Address[]> {
    const binding = bind(this.#server, this.#own);
    this.#listening = binding;
    const { port } = this.#open(await binding, upcalls);
    const { wire, federation } = this.#server;
    const { hostname, domain } = this.#own;
    return [{ wire, url: urlOf({ hostname, port, federation, domain }) }];
  }

  async send(
    route: Route,
    message: ServerMessage,
    { signal }: { signal: AbortSignal },
  ): Promise<SendOutcome> {
    if (signal.aborted) return "stalled";
    return await this.#clientele?.routeOf(route)?.outbox.send(message, signal) ?? "gone";
  }

  drop(route: Route, reason: string): void {
    this.#clientele?.drop(route, reason);
  }

  traffic(): Promise<Traffic> {
    return Promise.resolve(this.#clientele?.traffic() ?? { up: 0, down: 0, connections: 0 });
  }

  #open(binding: Binding, upcalls: Upcalls): Binding {
    const { cyclone, domain } = binding;
    this.#stack.use(domain);
    this.#stack.use(answerClaims(cyclone, domain.participant));
    this.#clientele = new Clientele(binding, this.#server, {
      upcalls,
      failed: (error) => this.#closed.reject(error),
    });
    this.#stack.use(this.#clientele);
    return binding;
  }

  async #dispose(): Promise<void> {
    await this.#listening?.catch(() => {}); // whoever listens hears of it
    await this.#stack[Symbol.asyncDispose]();
    this.#closed.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing ??= this.#dispose();
    await this.#disposing;
  }
}
