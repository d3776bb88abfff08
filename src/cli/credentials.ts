/** The token with which a client joins: from the command line, a file or the environment. */

import { readNamedFile } from "../server/named_file.ts";
import { OperatorError } from "./exit.ts";
import type { Io } from "./io.ts";

const ENVIRONMENT = "TRIBUTARY_TOKEN";

export interface TokenFlags {
  readonly token?: string;
  readonly tokenFile?: string;
}

/**
 * Undefined where there is none, which is right where none is asked for.
 * @throws {OperatorError | ConfigError} for what is no token.
 */
export async function tokenOf(
  { token, tokenFile }: TokenFlags,
  { environment }: Pick<Io, "environment">,
): Promise<string | undefined> {
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

/** Three parts of base64url: whose it is, and until when, the server judges. */
function checked(text: string, where: string): string {
  const token = text.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return token;
  throw new OperatorError(
    `${where} has no token; copy all of what \`tributary token create\` prints`,
  );
}
