/** A RabbitMQ of the tests' own: node, ports, data and Erlang's port mapper are its own as well. */

import { join } from "node:path";
import { type Certificate, schemeOf } from "../../../src/contract/tls.ts";
import { Daemon } from "./daemon.ts";
import { lastingPort } from "../../support/lasting_port.ts";
import { installed } from "./installed.ts";

export interface RabbitmqOptions {
  /** Lines of rabbitmq.conf beside the listener. */
  readonly settings?: readonly string[];
  readonly plugins?: readonly string[];
  /** With it, the broker speaks TLS and nothing else. */
  readonly tls?: Certificate;
}

export class Rabbitmq implements AsyncDisposable {
  readonly port = lastingPort();
  readonly #directory: string;
  readonly #env: Readonly<Record<string, string>>;
  #mapper: Daemon | undefined;
  #daemon: Daemon | undefined;

  readonly #scheme: string;

  private constructor(directory: string, scheme: string) {
    this.#scheme = scheme;
    this.#directory = directory;
    this.#env = {
      HOME: directory, // Erlang's cookie
      ERL_EPMD_PORT: String(lastingPort()),
      RABBITMQ_NODENAME: `tests-${this.port}@localhost`,
      RABBITMQ_DIST_PORT: String(lastingPort()),
      RABBITMQ_MNESIA_BASE: join(directory, "data"),
      RABBITMQ_LOG_BASE: join(directory, "logs"),
      RABBITMQ_PID_FILE: join(directory, "pid"),
      RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq.conf"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "plugins"),
      detached: "true", // the script becomes the broker, and is no parent that a kill would miss
    };
  }

  static async start(
    { settings = [], plugins = [], tls }: RabbitmqOptions = {},
  ): Promise<Rabbitmq> {
    const directory = await Deno.makeTempDir({ prefix: "rabbitmq-" });
    const broker = new Rabbitmq(directory, schemeOf("amqp", tls));
    const lines = [...await broker.#listeners(tls), ...settings, ""];
    await Deno.writeTextFile(join(directory, "rabbitmq.conf"), lines.join("\n"));
    await Deno.writeTextFile(join(directory, "plugins"), `[${plugins.join(",")}].\n`);
    broker.#mapper = await Daemon.start({
      program: installed("epmd") ?? "epmd",
      args: ["-d", "-address", "127.0.0.1"],
      env: broker.#env,
      log: join(directory, "epmd.log"),
      ready: /epmd running/,
    });
    await broker.startAgain();
    return broker;
  }

  async #listeners(tls: Certificate | undefined): Promise<string[]> {
    if (tls === undefined) return [`listeners.tcp.1 = 127.0.0.1:${this.port}`];
    const [certificate, key] = ["server.pem", "server-key.pem"].map((name) =>
      join(this.#directory, name)
    ) as [string, string];
    await Deno.writeTextFile(certificate, tls.certificate);
    await Deno.writeTextFile(key, tls.key);
    return [
      "listeners.tcp = none",
      `listeners.ssl.1 = 127.0.0.1:${this.port}`,
      `ssl_options.certfile = ${certificate}`,
      `ssl_options.cacertfile = ${certificate}`,
      `ssl_options.keyfile = ${key}`,
      "ssl_options.verify = verify_none", // clients prove themselves by a password
    ];
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** After `kill`, on the same port, with what was durable. */
  async startAgain(): Promise<void> {
    this.#daemon = await Daemon.start({
      program: installed("rabbitmq-server") ?? "rabbitmq-server",
      args: [],
      env: this.#env,
      log: join(this.#directory, "log"),
      ready: /completed with \d+ plugins/,
    });
  }

  async kill(): Promise<void> {
    await this.#daemon?.kill();
  }

  /** `rabbitmqctl`. */
  async control(...args: readonly string[]): Promise<string> {
    const program = installed("rabbitmqctl") ?? "rabbitmqctl";
    const output = await new Deno.Command(program, { args: [...args], env: this.#env }).output();
    const said = new TextDecoder().decode(output.success ? output.stdout : output.stderr);
    if (!output.success) throw new Error(`rabbitmqctl ${args.join(" ")} failed: ${said}`);
    return said;
  }

  /** For a broker that outlives its tests, when the process ends. */
  disposeNow(): void {
    this.#daemon?.killNow();
    this.#mapper?.killNow();
    Deno.removeSync(this.#directory, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#mapper?.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
