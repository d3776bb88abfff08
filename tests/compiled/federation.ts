/** A federation whose server is an executable's `serve`, driven from outside like any other. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { WireName } from "../../src/contract/protocol_server.ts";
import type { Fields } from "../../src/log.ts";
import { dialUrl, PROTOCOLS } from "../../src/protocols/mod.ts";
import { status } from "../../src/web/status.ts";
import { type LogLine, weights } from "../support/federation.ts";
import { Member } from "../support/member.ts";
import type { MixedFederation, MixedSpec } from "../support/mixed_federation.ts";
import { heartbeat } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { ANY_PORTS } from "./executable.ts";

/** Short, so that nobody waits long for a silent client to be found out. */
const HEARTBEAT_MS = 1000;

export class ExecutableFederation implements MixedFederation {
  readonly #server: Program;
  readonly #directory: string;
  readonly #addresses: ReadonlyMap<WireName, string>;
  readonly #page: string;

  private constructor(
    server: Program,
    directory: string,
    reached: { addresses: ReadonlyMap<WireName, string>; page: string },
  ) {
    this.#server = server;
    this.#directory = directory;
    this.#addresses = reached.addresses;
    this.#page = reached.page;
  }

  static async open(
    executable: string,
    { minClients = 1, rounds = 1, evaluateFraction = 0 }: MixedSpec,
  ): Promise<ExecutableFederation> {
    const directory = await Deno.makeTempDir({ prefix: "tributary-federation-" });
    const model = join(directory, "start.safetensors");
    await Deno.writeFile(model, weights([0, 0, 0, 0]));
    const flags = {
      state: join(directory, "state"),
      model,
      rounds,
      "min-clients": minClients,
      "evaluate-fraction": evaluateFraction,
      "heartbeat-interval-ms": HEARTBEAT_MS,
      "log-level": "debug",
      "log-format": "json",
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const server = new Program(["serve", ...ANY_PORTS, ...args], directory, {
      path: executable,
      args: [],
      environment: {},
    });
    await server.says(/Ctrl-C stops/);
    const lines = server.stderr.all.map(lineOf);
    const up = lines.filter(({ message }) => message === "wire up");
    const addresses = new Map(up.map(({ fields: { wire, url } }) => [String(wire), String(url)]));
    const page = lines.find(({ message }) => message === "status page up")?.fields.url;
    return new ExecutableFederation(server, directory, { addresses, page: String(page) });
  }

  get wires(): readonly WireName[] {
    return PROTOCOLS.filter((wire) => this.#addresses.has(wire));
  }

  async dial(clientId: string, wire: WireName): Promise<Member> {
    return await Member.connect(dialUrl, this.#addresses.get(wire) ?? assert.fail(wire), clientId);
  }

  async join(
    clientId: string,
    { wire, ...options }: { wire: WireName; samples?: number },
  ): Promise<Member> {
    const member = await this.dial(clientId, wire);
    await member.hello(options);
    return member;
  }

  async logged(message: string, fields: Fields = {}): Promise<LogLine> {
    const fits = (line: LogLine) =>
      line.message === message &&
      Object.entries(fields).every(([name, value]) => line.fields[name] === value);
    return lineOf(await this.#server.stderr.find((text) => fits(lineOf(text))));
  }

  async wiresOfClients(): Promise<readonly (readonly WireName[])[]> {
    const response = await fetch(new URL("status", this.#page));
    return status.parse(await response.json()).clients.map(({ wires }) => wires);
  }

  async finished(): Promise<readonly string[]> {
    const { code } = await this.#server.ended();
    assert.equal(code, 0);
    const lines = this.#server.stderr.all.map(lineOf);
    return lines.filter(({ message }) => message === "client holds the final model")
      .map(({ fields }) => String(fields.client));
  }

  /** Each answer to a heartbeat is waited for; the silent one is missed meanwhile. */
  async outlive(members: readonly Member[]): Promise<void> {
    let missed = false;
    const left = this.logged("client left", { reason: "silent" }).then(() => missed = true);
    while (!missed) for (const member of members) await member.ask(heartbeat());
    await left;
  }

  async stop(): Promise<void> {
    this.#server.kill("SIGTERM");
    assert.equal((await this.#server.ended()).code, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function lineOf(text: string): LogLine {
  const { time: _time, level: _level, message, ...fields } = JSON.parse(text);
  return { message, fields };
}
