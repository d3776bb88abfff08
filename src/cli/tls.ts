/** `tributary tls init`: a development CA, and a server certificate that it vouches for. */

import type { Command } from "commander";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Certificate } from "../contract/tls.ts";
import { issue, makeAuthority, SERVER_DAYS } from "../server/authority.ts";
import { makeCommand, parse } from "./command.ts";
import { exit, type ExitCode, OperatorError } from "./exit.ts";
import type { Io } from "./io.ts";

/** What `serve` and `join` are told to read, and the authority's own key. */
const FILES = {
  ca: "ca.pem",
  caKey: "ca-key.pem",
  server: "server.pem",
  serverKey: "server-key.pem",
} as const;

interface Flags {
  readonly out?: string;
  readonly state?: string;
  readonly host?: readonly string[];
}

export function command(io: Io): Command {
  const verb = makeCommand({
    name: "tributary tls",
    description: "Makes certificates to try TLS with, where no authority gives you one.",
    examples: [
      ["tributary tls init --host fl.example.org --host 192.0.2.7", "into the folder tls"],
      ["tributary tls init --state run1 --host fl.example.org", "into run1/tls"],
    ],
  }, io);
  verb.command("init")
    .description(
      "Makes a certificate authority and a server certificate for the hosts, loopback and this " +
        "machine's name. Where the folder holds an authority already, that one is used.",
    )
    .option("--out <dir>", "the folder to write into (default: tls)")
    .option("--state <dir>", "write into the folder tls of this state directory")
    .option("--host <name...>", "names and IP addresses by which clients reach this server")
    .action((flags: Flags) => init(flags, io));
  return verb;
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  await parse(command(io), args.length === 0 ? ["--help"] : args);
  return exit.ok;
}

async function init({ out, state, host = [] }: Flags, io: Io): Promise<void> {
  if (out !== undefined && state !== undefined) {
    throw new OperatorError("--out and --state both name a folder; give one of them");
  }
  const directory = out ?? (state === undefined ? "tls" : join(state, "tls"));
  const own = hostname();
  const hosts = [...new Set([...host.map(hostOf), own, "localhost", "127.0.0.1", "::1"])]
    .filter(isHost);
  const path = (name: keyof typeof FILES) => join(directory, FILES[name]);
  for (const name of ["server", "serverKey"] as const) {
    if (await exists(path(name))) {
      throw new OperatorError(
        `${path(name)} is there already and is not overwritten; use it, remove it, or name ` +
          "another folder by --out",
      );
    }
  }
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  const authority = await authorityAt(path("ca"), path("caKey"));
  const server = await issueBy(authority, hosts, path("caKey"));
  await writeNew(path("server"), server.certificate, 0o644);
  await writeNew(path("serverKey"), server.key, 0o600);
  io.stdout.write(instructions(directory, host[0] ?? own, hosts));
}

function hostOf(text: string): string {
  const name = text.replace(/^\[(.*)\]$/, "$1");
  if (isHost(name)) return name;
  throw new OperatorError(
    `--host is ${
      JSON.stringify(text)
    }, but must be a name such as fl.example.org, or an IP address`,
  );
}

/** RFC 1123 §2.1, and a wildcard for its first label. */
function isHost(name: string): boolean {
  if (isIP(name) !== 0) return true;
  const labels = name.replace(/^\*\./, "").replace(/\.$/, "").split(".");
  return name.length <= 253 &&
    labels.every((label) => /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i.test(label));
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The folder's authority: the one that clients trust already, else a new one. */
async function authorityAt(certificatePath: string, keyPath: string): Promise<Certificate> {
  const [hasCertificate, hasKey] = [await exists(certificatePath), await exists(keyPath)];
  if (hasCertificate !== hasKey) {
    const [there, missing] = hasCertificate
      ? [certificatePath, keyPath]
      : [keyPath, certificatePath];
    throw new OperatorError(
      `${there} is there without ${missing}; bring it back, or name another folder by --out`,
    );
  }
  if (hasCertificate) {
    const certificate = await Deno.readTextFile(certificatePath);
    return { certificate, key: await Deno.readTextFile(keyPath) };
  }
  const authority = await makeAuthority();
  await writeNew(certificatePath, authority.certificate, 0o644);
  await writeNew(keyPath, authority.key, 0o600);
  return authority;
}

async function issueBy(
  authority: Certificate,
  hosts: readonly string[],
  keyPath: string,
): Promise<Certificate> {
  try {
    return await issue(authority, hosts);
  } catch (error) {
    // What the library says could quote the key.
    throw new OperatorError(
      `${keyPath} and the certificate beside it cannot be used; name another folder by --out`,
      { cause: error },
    );
  }
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    await Deno.writeTextFile(path, text, { createNew: true, mode });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`Cannot write ${path}: ${reason}`, { cause: error });
  }
}

function instructions(directory: string, host: string, hosts: readonly string[]): string {
  const at = (name: keyof typeof FILES) => join(directory, FILES[name]);
  const urlHost = isIP(host) === 6 ? `[${host}]` : host;
  const names = hosts.join(", ");
  const meanings: [string, string][] = [
    [at("ca"), "give it to clients: it is whom they trust"],
    [at("caKey"), "keep it from everybody: it makes certificates that clients trust"],
    [at("server"), `the server's, for ${names}; good for ${SERVER_DAYS} days`],
    [at("serverKey"), "its key"],
  ];
  const width = Math.max(...meanings.map(([path]) => path.length));
  const list = meanings.map(([path, meaning]) => `${path.padEnd(width)}  ${meaning}`).join("\n");
  return `\
${list}

Make each client a token, and serve, on every address of this machine:
  tributary token create --client edge-1 --state run1 > edge-1.token
  tributary serve --state run1 --tokens required \\
    --tls-cert ${at("server")} --tls-key ${at("serverKey")} \\
    --mqtt-hostname 0.0.0.0 --amqp-hostname 0.0.0.0 --grpc-hostname 0.0.0.0 \\
    --quic-hostname 0.0.0.0 --web-hostname 0.0.0.0
Join, from a machine that has ca.pem and its token, by any of the addresses that serve prints:
  tributary join mqtts://${urlHost}:1883/default --ca ca.pem --token-file edge-1.token --data train.csv
  tributary status https://${urlHost}:8080/ --ca ca.pem

For another certificate of the same authority, when this one expires or a host is added, remove
${at("server")} and ${at("serverKey")}, and say this again.
`;
}
