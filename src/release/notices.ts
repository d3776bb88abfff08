/** LICENSES.txt: whose work is in the executables, and under which terms. */

import { standardText } from "./others.ts";
import { idOf, type Part, ReleaseError } from "./part.ts";

const RULE = "=".repeat(80);

const HEAD = `\
Tributary is under the Apache License 2.0; its text is below. Its executables hold the work of
others, too, under the terms that follow. tributary.cdx.json lists the same for programs.
`;

/** @throws {ReleaseError} where a licence's text is not to be had. */
export async function notices(parts: readonly Part[]): Promise<string> {
  const texts = [HEAD, ...byText(parts).map(([text, of]) => `${list(of)}\n\n${text}\n`)];
  const standard = new Map<string, string>([["Apache-2.0", await textOf("Apache-2.0")]]);
  for (const part of parts.filter((each) => each.texts.length === 0)) {
    texts.push(
      `${list([part])}\n\n${part.copyright}\nUnder ${part.licence}, as it stands below.\n`,
    );
    for (const id of idsIn(part.licence)) standard.set(id, await textOf(id));
  }
  for (const [id, text] of [...standard].sort()) texts.push(`${id}\n\n${text}\n`);
  return texts.join(`\n${RULE}\n`);
}

/** Parts with the same text stand above it together. */
function byText(parts: readonly Part[]): [text: string, parts: Part[]][] {
  const groups = new Map<string, Part[]>();
  for (const part of parts) {
    for (const text of part.texts) groups.set(text, [...groups.get(text) ?? [], part]);
  }
  return [...groups];
}

function list(parts: readonly Part[]): string {
  return parts.map((part) => `${idOf(part)} (${part.licence})`).join("\n");
}

/** The identifiers of an SPDX expression. */
function idsIn(expression: string): string[] {
  return expression.split(/[\s()]+/).filter((word) => word !== "" && !/^(AND|OR|WITH)$/.test(word));
}

async function textOf(id: string): Promise<string> {
  const text = await standardText(id);
  if (text !== undefined) return text;
  throw new ReleaseError(`The text of ${id} is missing; write it into src/release/texts/${id}.txt`);
}
