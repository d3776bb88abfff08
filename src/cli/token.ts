/** `tributary token`: makes the tokens by which clients prove their ids, and takes them back. */

import type { Command } from "commander";
import { createToken } from "../contract/token.ts";
import { LOOK_MS, readRevocations, revoke } from "../server/revocations.ts";
import { openTokenKey } from "../server/token_key.ts";
import { makeCommand, parse, wordArgument } from "./command.ts";
import { exit, type ExitCode, OperatorError } from "./exit.ts";
import { type Format, formatOption, jsonDocument } from "./format.ts";
import type { Io } from "./io.ts";
import { table } from "./table.ts";

interface TokenFlags {
  readonly client?: string;
  readonly name: string;
  readonly expires?: string;
  readonly state?: string;
  readonly tokenKey?: string;
  readonly format: Format;
}

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
/** Beyond it, dates are no longer four digits of a year. */
const MOST_MS = 1000 * 365 * UNITS_MS.d;

export function command(io: Io): Command {
  return makeCommand({
    name: "tributary token",
    description: "Makes the token by which a client proves its id to `serve --tokens required`, " +
      "takes back those of a client, and lists whose were taken back.",
    examples: [
      ["tributary token create --client edge-1 --state run1", "with the key of a server's state"],
      [
        "tributary token create --client edge-1 --expires 30d --token-key token.key",
        "for thirty days, with a key of one's own",
      ],
      ["tributary join mqtt://host:1883/default --id edge-1 --token-file edge-1.token", "its use"],
      [
        "tributary token revoke --client edge-1 --state run1",
        "what it had is void within a second",
      ],
      ["tributary token revoked --state run1", "whose tokens are void, and from before when"],
    ],
  }, io)
    .addArgument(wordArgument("<create|revoke|revoked>", "what to do"))
    .option("--client <id>", "the client's id, as `join --id` has it")
    .option("--name <text>", "the federation's name", "default")
    .option("--expires <time>", "how long it holds, e.g. 12h or 30d; left out, for ever")
    .option("--state <dir>", "the server's state directory; a key is made where it has none")
    .option("--token-key <file>", "the server's key, instead of the one in --state")
    .addOption(formatOption("what is told alone, or as JSON"));
}

export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const asked = command(io);
  await parse(asked, args);
  const flags = asked.opts<TokenFlags>();
  const [verb = "", ...more] = asked.args;
  const act = VERBS.get(verb);
  if (act === undefined || more.length > 0) {
    const said = JSON.stringify(asked.args.join(" "));
    throw new OperatorError(
      `token cannot do ${said}: say \`token create\`, \`token revoke\` or \`token revoked\``,
    );
  }
  await act(flags, io);
  return exit.ok;
}

const VERBS: ReadonlyMap<string, (flags: TokenFlags, io: Io) => Promise<void>> = new Map([
  ["create", create],
  ["revoke", takeBack],
  ["revoked", list],
]);

async function create(flags: TokenFlags, io: Io): Promise<void> {
  const clientId = named("--client", flags.client);
  const federation = named("--name", flags.name);
  const lifetimeMs = flags.expires === undefined ? undefined : lifetimeOf(flags.expires);
  const key = await openTokenKey(flags);
  const nowMs = Math.max(Date.now(), await validFromMs(clientId, flags));
  const { token, claims } = createToken({ key, federation }, { clientId, nowMs, lifetimeMs });
  const expires = claims.exp === undefined ? null : new Date(claims.exp * 1000).toISOString();
  const told = { token, client: claims.sub, federation: claims.aud, expires, id: claims.jti };
  io.stdout.write(flags.format === "json" ? jsonDocument(told) : `${token}\n`);
}

/** A token counts in whole seconds: one made in the second of a revocation is of the next one. */
async function validFromMs(clientId: string, { state }: TokenFlags): Promise<number> {
  const untilS = state === undefined ? undefined : (await readRevocations(state)).get(clientId);
  return untilS === undefined ? 0 : (untilS + 1) * 1000;
}

async function takeBack(flags: TokenFlags, io: Io): Promise<void> {
  const clientId = named("--client", flags.client);
  const state = stateOf(flags);
  const nowMs = Date.now();
  await revoke(state, { clientId, nowMs });
  const until = new Date(nowMs).toISOString();
  const text =
    `Tokens of ${clientId} made until ${until} are void; a server that runs on ${state} ` +
    `knows within ${LOOK_MS / 1000} s\n`;
  io.stdout.write(
    flags.format === "json" ? jsonDocument({ client: clientId, until }) : text,
  );
}

async function list(flags: TokenFlags, io: Io): Promise<void> {
  const rows = [...await readRevocations(stateOf(flags))]
    .map(([client, seconds]) => ({ client, until: new Date(seconds * 1000).toISOString() }))
    .sort((left, right) => left.client < right.client ? -1 : 1);
  const columns = [
    { title: "client", text: (row: typeof rows[number]) => row.client },
    { title: "tokens void until", text: (row: typeof rows[number]) => row.until },
  ];
  io.stdout.write(
    flags.format === "json" ? jsonDocument(rows) : table(rows, columns, io.stdout),
  );
}

/** A server looks there, whatever its key is. */
function stateOf({ state }: TokenFlags): string {
  if (state !== undefined) return state;
  throw new OperatorError("Tokens are taken back in the server's state directory: name --state");
}

function named(flag: string, value: string | undefined): string {
  if (value === undefined) throw new OperatorError(`token needs ${flag}`);
  if (NAME.test(value)) return value;
  throw new OperatorError(
    `${flag} is ${JSON.stringify(value)}, but must be 1 to 64 characters of A-Z a-z 0-9 . _ -`,
  );
}

function lifetimeOf(text: string): number {
  const [, count = "", unit = ""] = /^(\d+)([smhdw])$/.exec(text) ?? [];
  const lifetimeMs = Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  if (lifetimeMs > 0 && lifetimeMs <= MOST_MS) return lifetimeMs;
  throw new OperatorError(
    `--expires is ${JSON.stringify(text)}, but must be a time like 90s, 30m, 12h, 30d or 52w`,
  );
}
