/** The whole server, put together from its configuration: vault, coordinator, wires, status page. */

import type { Address, WireName } from "../contract/protocol_server.ts";
import { Coordinator } from "../coordinator/coordinator.ts";
import { type Clock, systemClock } from "../coordinator/clock.ts";
import type { Outcome } from "../coordinator/options.ts";
import { type MakeLink, Supervisor } from "../coordinator/supervisor.ts";
import type { Config } from "../config.ts";
import type { Events } from "../events.ts";
import type { Metrics } from "../metrics.ts";
import { VaultLink } from "../vault/link.ts";
import { VaultError } from "../vault/vault.ts";
import { Web } from "../web/web.ts";
import type { Status } from "../web/status.ts";
import { BROKERS } from "../protocols/mod.ts";
import { advertised } from "./advertised.ts";
import { withAuthorities } from "./authorities.ts";
import { readTls, withCertificate } from "./certificate.ts";
import { CertificateWatch, usedCertificates } from "./certificate_watch.ts";
import { coordinatorOptions } from "./coordinator_options.ts";
import { openEvaluator } from "./evaluating.ts";
import { readModel } from "./model.ts";
import { RevocationWatch } from "./revocations.ts";
import { statusOf } from "./status.ts";
import { linksOf } from "./links.ts";
import { tokenRule } from "./token_key.ts";

export interface ServerParts {
  readonly config: Config;
  readonly events: Events;
  readonly metrics: Metrics;
  /** Instead of the Workers of `config.protocols`. `certified` is the configuration as they get it. */
  readonly wires?: (runId: string, certified: Config) => ReadonlyMap<WireName, MakeLink>;
  /** Wires that are left out, and why. */
  readonly missing?: Readonly<Record<WireName, string>>;
  readonly clock?: Clock;
}

export class FederationServer implements AsyncDisposable {
  readonly #parts: ServerParts;
  readonly #stack: AsyncDisposableStack;
  readonly #coordinator: Coordinator;
  readonly #status: () => Promise<Status>;
  readonly #draining: { now: boolean };
  readonly addresses: readonly Address[];
  /** Of the status page, where there is one. */
  readonly webUrl: string | undefined;

  private constructor(
    parts: ServerParts,
    opened: {
      stack: AsyncDisposableStack;
      status: () => Promise<Status>;
      draining: { now: boolean };
      coordinator: Coordinator;
      addresses: readonly Address[];
      webUrl: string | undefined;
    },
  ) {
    this.#parts = parts;
    this.#stack = opened.stack;
    this.#coordinator = opened.coordinator;
    this.#status = opened.status;
    this.#draining = opened.draining;
    this.addresses = opened.addresses;
    this.webUrl = opened.webUrl;
  }

  /**
   * Starts everything. Resolves once clients can join on every wire.
   * @throws {ListenError | VaultError | ConfigError} for the operator's mistakes; nothing is left running.
   */
  static async open(parts: ServerParts): Promise<FederationServer> {
    const { config, events, metrics, clock = systemClock } = parts;
    await using stack = new AsyncDisposableStack();
    const tls = await readTls(config);
    const trusting = await withAuthorities(config);
    const tokens = await tokenRule(config);
    // What takes long is done side by side: the model is drawn, the vault loads, QUIC gets its key.
    const model = readModel(config);
    const opening = openVault(config, model.then(({ bytes }) => bytes.buffer));
    const certifying = withCertificate(trusting, tls, opening);
    certifying.catch(() => {}); // awaited below, unless something else fails before
    const { vault, opened } = await opening;
    stack.use(vault);
    const { topology } = await model;
    const evaluator = await openEvaluator(config, topology);
    if (evaluator !== undefined) stack.use(evaluator);
    const coordinator = stack.use(
      new Coordinator(
        coordinatorOptions({ config, events, clock, opened, topology, vault, evaluator }),
      ),
    );
    vault.closed.catch((error) => coordinator.fail(error));
    const certified = await certifying;
    stack.use(
      new CertificateWatch(usedCertificates(config, certified, tls), {
        clock,
        tell: (state) => events.certificateSeen(state),
      }),
    );
    const run = { runId: opened.runId, tls, tokens };
    const wires = parts.wires?.(opened.runId, certified) ?? linksOf(certified, run);
    const supervisor = stack.use(new Supervisor({ hub: coordinator, wires, clock, events }));
    for (const [wire, reason] of Object.entries(parts.missing ?? {})) {
      events.wireOff({ wire, reason });
    }
    const addresses = (await supervisor.start()).map(({ wire, url }) => ({
      wire,
      url: wire in BROKERS ? url : advertised(url, tls),
    }));
    if (tokens !== undefined && config.state !== undefined) {
      stack.use(
        new RevocationWatch(tokens.revoked ?? new Map(), {
          state: config.state,
          clock,
          changed: (revoked) => {
            tokens.revoked = revoked; // for the servers that are started again
            supervisor.revoke(revoked);
            events.tokensRevoked({ clients: revoked.size });
          },
          failed: (reason) => events.serverFailed({ what: "reading revoked tokens", reason }),
        }),
      );
    }
    metrics.watchTraffic(async () =>
      [...await supervisor.traffic()].map(([wire, traffic]) => ({ wire, ...traffic }))
    );
    const draining = { now: false };
    const status = () =>
      statusOf({
        config,
        coordinator,
        supervisor,
        missing: parts.missing ?? {},
        certificate: tls,
        draining: draining.now,
      });
    let webUrl: string | undefined;
    if (config.web.enabled) {
      const web = stack.use(
        new Web({ ...config.web, tls }, {
          status,
          metrics: () => metrics.text(),
          refused: (peer) => events.peerRefused({ wire: "http", ...peer }),
        }),
      );
      webUrl = advertised(await web.listen(), tls);
      events.webUp({ url: webUrl });
      web.closed.catch((error) => events.webDown({ reason: String(error.message) }));
    }
    return new FederationServer(parts, {
      stack: stack.move(),
      status,
      draining,
      coordinator,
      addresses,
      webUrl,
    });
  }

  get runId(): string {
    return this.#coordinator.runId;
  }

  /** Resolves when the run has ended; rejects when it cannot go on. */
  get finished(): Promise<Outcome> {
    return this.#coordinator.finished;
  }

  status(): Promise<Status> {
    return this.#status();
  }

  /**
   * Tells every client why the server goes away; dispose next. From now on it is not ready. What was
   * accepted is kept already: a run with a state directory goes on later.
   */
  async farewell(detail: string): Promise<void> {
    this.#draining.now = true;
    await this.#coordinator.farewell(
      this.#parts.config.state === undefined ? "shutdown" : "restart",
      detail,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

/** @throws {VaultError} also where the run is over. */
async function openVault(
  config: Config,
  initialModel: Promise<ArrayBuffer>,
): ReturnType<typeof VaultLink.open> {
  const { vault, opened } = await VaultLink.open({
    stateDirectory: config.state,
    name: config.name,
    strategy: { name: config.strategy.name, options: config.strategy.options },
    keepModels: config.keepModels,
    keepRounds: config.keepRounds,
    stateMaxBytes: config.stateMaxBytes,
    durability: config.durability,
    initialModel,
  });
  if (opened.finished === undefined) return { vault, opened };
  await vault[Symbol.asyncDispose]();
  throw new VaultError(
    `The run in ${config.state} is over (${opened.finished}): its model is ` +
      `${config.state}/model.safetensors; choose another --state for a new run`,
  );
}
