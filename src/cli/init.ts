/** `tributary init`: a settings file to start from, and units for systemd. */

import { join } from "node:path";
import type { Command } from "commander";
import { settingsFile } from "../init/settings_file.ts";
import { type Role, unit, UNITS } from "../init/unit.ts";
import { makeCommand, parse } from "./command.ts";
import { exit, type ExitCode, OperatorError } from "./exit.ts";
import type { Io } from "./io.ts";

const SETTINGS = "tributary.toml";
const EXECUTABLE = "/usr/local/bin/tributary";

interface Flags {
  readonly dir: string;
  readonly force?: boolean;
  /** `true` where no role was named. */
  readonly systemd?: string | true;
  readonly executable: string;
}

interface NewFile {
  readonly name: string;
  readonly text: string;
  readonly mode: number;
}

export function command(io: Io): Command {
  return makeCommand({
    name: "tributary init",
    description:
      `Writes ${SETTINGS}: every setting of a server with its meaning and default, all ` +
      "commented out.",
    examples: [
      ["tributary init", "writes ./tributary.toml"],
      ["tributary init --systemd", "and tributary.service, which serves with it"],
      ["tributary init --systemd join", "writes tributary-join.service, for an edge node"],
    ],
  }, io)
    .option("--dir <dir>", "the folder to write into", ".")
    .option("--force", "replace files that are there already")
    .option("--systemd [serve|join]", "also write a hardened unit; join's stands alone")
    .option("--executable <path>", "where the unit finds the executable", EXECUTABLE);
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const { dir, force = false, systemd, executable } = asked.opts<Flags>();
  const role = roleOf(systemd);
  const files = filesFor(role, executable);
  await refuseThoseThere(files.map(({ name }) => join(dir, name)), force);
  for (const file of files) await write(file, dir, force);
  io.stdout.write(instructions(dir, role, executable));
  return exit.ok;
}

function roleOf(systemd: string | true | undefined): Role | undefined {
  if (systemd === undefined || systemd === "serve" || systemd === "join") return systemd;
  if (systemd === true) return "serve";
  throw new OperatorError(`--systemd is ${JSON.stringify(systemd)}, but must be serve or join`);
}

function filesFor(role: Role | undefined, executable: string): NewFile[] {
  // The settings may come to hold a broker's password: for this user alone.
  const settings = { name: SETTINGS, text: settingsFile(), mode: 0o600 };
  if (role === undefined) return [settings];
  const own = { name: UNITS[role], text: unitFor(role, executable), mode: 0o644 };
  return role === "serve" ? [settings, own] : [own]; // an edge node has no settings of a server
}

function unitFor(role: Role, executable: string): string {
  try {
    return unit(role, { executable });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new OperatorError(`--executable is ${JSON.stringify(executable)}, ${error.message}`, {
      cause: error,
    });
  }
}

/** All are looked at before the first is written. */
async function refuseThoseThere(paths: readonly string[], force: boolean): Promise<void> {
  for (const path of force ? [] : paths) {
    if (!await exists(path)) continue;
    throw new OperatorError(
      `${path} is there already and is not overwritten; use it, name another folder by --dir, or ` +
        "replace it by --force",
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new OperatorError(`Cannot look at ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

async function write({ name, text, mode }: NewFile, dir: string, force: boolean): Promise<void> {
  const path = join(dir, name);
  try {
    await Deno.mkdir(dir, { recursive: true });
    if (!force) return await Deno.writeTextFile(path, text, { createNew: true, mode });
    // Beside its place, so that a disk that is full leaves the old file as it is.
    const beside = await Deno.makeTempFile({ dir, prefix: `.${name}.` });
    try {
      await Deno.writeTextFile(beside, text);
      if (Deno.build.os !== "windows") await Deno.chmod(beside, mode);
      await Deno.rename(beside, path);
    } catch (error) {
      await Deno.remove(beside);
      throw error;
    }
  } catch (error) {
    throw new OperatorError(`Cannot write ${path}: ${reasonOf(error)}; name a folder by --dir`, {
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function instructions(dir: string, role: Role | undefined, executable: string): string {
  const settings = join(dir, SETTINGS);
  if (role === undefined) {
    return `${settings}  every setting; change what should be otherwise\n\n` +
      `Serve with it:\n  tributary serve --config ${settings}\n`;
  }
  const own = join(dir, UNITS[role]);
  const file = role === "serve"
    ? `${settings}  every setting; change what should be otherwise\n${own}  serves with it\n`
    : `${own}  trains for the addresses and with the data that you write into it\n`;
  const first = role === "serve"
    ? `  sudo install -D -m 600 ${settings} /etc/tributary/${SETTINGS}\n`
    : "";
  return `${file}
Set it up, with the executable at ${executable}:
${first}  sudo install -m 644 ${own} /etc/systemd/system/
  sudo systemctl daemon-reload
  sudo systemctl enable --now ${UNITS[role]}
  journalctl -fu ${UNITS[role]}
`;
}
