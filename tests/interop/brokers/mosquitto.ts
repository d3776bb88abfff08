/** A Mosquitto of the tests' own, on a free port, with nothing kept. */

import { join } from "node:path";
import { type Certificate, schemeOf } from "../../../src/contract/tls.ts";
import { Daemon } from "./daemon.ts";
import { lastingPort } from "../../support/lasting_port.ts";
import { installed } from "./installed.ts";

export interface MosquittoOptions {
  /** `name:password` of each. */
  readonly users?: readonly string[];
  /** Lines of its access control list. */
  readonly rules?: readonly string[];
  /** With it, the broker speaks TLS and nothing else. */
  readonly tls?: Certificate;
}

export class Mosquitto implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  #daemon: Daemon | undefined;

  readonly #scheme: string;

  private constructor(directory: string, port: number, scheme: string) {
    this.#directory = directory;
    this.port = port;
    this.#scheme = scheme;
  }

  /** @param settings Lines of mosquitto.conf beside the listener. */
  static async start(
    settings: readonly string[] = ["allow_anonymous true"],
    { users, rules, tls }: MosquittoOptions = {},
  ): Promise<Mosquitto> {
    const directory = await Deno.makeTempDir({ prefix: "mosquitto-" });
    const broker = new Mosquitto(directory, lastingPort(), schemeOf("mqtt", tls));
    const lines = [`listener ${broker.port} 127.0.0.1`, "persistence false", "user root"];
    if (users !== undefined) {
      const file = join(directory, "users");
      await Deno.writeTextFile(file, users.join("\n") + "\n");
      await new Deno.Command("mosquitto_passwd", { args: ["-U", file] }).output();
      lines.push(`password_file ${file}`);
    }
    if (rules !== undefined) {
      const file = join(directory, "rules");
      await Deno.writeTextFile(file, rules.join("\n") + "\n");
      lines.push(`acl_file ${file}`);
    }
    if (tls !== undefined) {
      const [certificate, key] = [join(directory, "server.pem"), join(directory, "server-key.pem")];
      await Deno.writeTextFile(certificate, tls.certificate);
      await Deno.writeTextFile(key, tls.key);
      lines.push(`certfile ${certificate}`, `keyfile ${key}`);
    }
    await Deno.writeTextFile(broker.#configuration, [...lines, ...settings, ""].join("\n"));
    await broker.startAgain();
    return broker;
  }

  get #configuration(): string {
    return join(this.#directory, "mosquitto.conf");
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`;
  }

  /** After `kill`, on the same port. */
  async startAgain(): Promise<void> {
    this.#daemon = await Daemon.start({
      program: installed("mosquitto") ?? "mosquitto",
      args: ["-v", "-c", this.#configuration],
      log: join(this.#directory, "log"),
      ready: /mosquitto version \S+ running/,
    });
  }

  async kill(): Promise<void> {
    await this.#daemon?.kill();
  }

  /** For a broker that outlives its tests, when the process ends. */
  disposeNow(): void {
    this.#daemon?.killNow();
    Deno.removeSync(this.#directory, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
