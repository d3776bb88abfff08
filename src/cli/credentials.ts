/** As whom a client joins: its id, and the token that proves it, from flags, a file or the environment. */

import { isClientId } from "../contract/client_id.ts";
import { holderOf } from "../contract/token.ts";
import { readNamedFile } from "../server/named_file.ts";
import { OperatorError } from "./exit.ts";
import type { Io } from "./io.ts";

const ENVIRONMENT = "TRIBUTARY_TOKEN";

export interface TokenFlags {
  readonly id?: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

export interface Credentials {
  /** Undefined where the operator has named none. */
  readonly id: string | undefined;
  /** Undefined where there is none, which is right where none is asked for. */
  readonly token: string | undefined;
}

interface Token {
  readonly text: string;
  /** The flag, the file or the variable that has it. */
  readonly where: string;
}

/** @throws {OperatorError | ConfigError} for what is no id or no token, or a token of another id. */
export async function credentialsOf(
  flags: TokenFlags,
  io: Pick<Io, "environment">,
): Promise<Credentials> {
  const { id } = flags;
  if (id !== undefined && !isClientId(id)) {
    throw new OperatorError(
      `--id is ${JSON.stringify(id)}, but must be 1 to 64 characters of A-Z a-z 0-9 . _ -`,
    );
  }
  const token = await tokenOf(flags, io);
  const holder = token && holderOf(token.text);
  if (token !== undefined && id !== undefined && holder !== undefined && holder !== id) {
    throw new OperatorError(
      `${token.where} has the token of ${holder}, but --id is ${id}: join with --id ${holder}, ` +
        `or with a token of ${id}`,
    );
  }
  return { id: id ?? holder, token: token?.text };
}

async function tokenOf(
  { token, tokenFile }: TokenFlags,
  { environment }: Pick<Io, "environment">,
): Promise<Token | undefined> {
  if (token !== undefined && tokenFile !== undefined) {
    throw new OperatorError("--token and --token-file are one too many; name one of them");
  }
  if (token !== undefined) return checked(token, "--token");
  if (tokenFile !== undefined) {
    const text = new TextDecoder().decode(await readNamedFile("--token-file", tokenFile));
    return checked(text, `--token-file ${tokenFile}`);
  }
  const given = environment[ENVIRONMENT] ?? "";
  return given === "" ? undefined : checked(given, ENVIRONMENT);
}

/** Three parts of base64url: whether it holds, the server judges. */
function checked(given: string, where: string): Token {
  const text = given.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return { text, where };
  throw new OperatorError(
    `${where} has no token; copy all of what \`tributary token create\` prints`,
  );
}
