/** Settings from environment variables, `TRIBUTARY_*`. */

import type { Field } from "./fields.ts";
import { type Given, type Reading, valueOfText } from "./given.ts";
import { nearest } from "./nearest.ts";

const PREFIX = "TRIBUTARY_";

/** Ours, but no settings of the server's: its configuration file, whom its clients trust, a client's token. */
const OTHER_NAMES: ReadonlySet<string> = new Set([
  "TRIBUTARY_CONFIG",
  "TRIBUTARY_CA",
  "TRIBUTARY_TOKEN",
]);

/**
 * Reads a snapshot of the environment. An empty variable counts as unset; one that names no setting
 * is refused, since a misspelt variable is otherwise a setting that silently does not hold.
 */
export function readEnvironment(
  variables: Readonly<Record<string, string>>,
  fields: readonly Field[],
): Reading {
  const byName = new Map(fields.map((field) => [field.env, field]));
  const given: Given[] = [];
  const sentences: string[] = [];
  for (const [name, text] of Object.entries(variables)) {
    if (!name.startsWith(PREFIX) || text === "" || OTHER_NAMES.has(name)) continue;
    if (isServiceLink(name, text)) continue;
    const field = byName.get(name);
    if (field === undefined) {
      const meant = nearest(name, byName.keys());
      sentences.push(
        `The environment variable ${name} names no setting; ` +
          (meant === undefined ? "unset it" : `did you mean ${meant}?`),
      );
    } else {
      given.push({ field, value: valueOfText(text, field.shape), where: name });
    }
  }
  return { given, sentences };
}

/**
 * Kubernetes and Docker describe a service called "tributary" in variables of this prefix, e.g.
 * `TRIBUTARY_SERVICE_HOST` and `TRIBUTARY_MQTT_PORT=tcp://10.0.0.1:1883`.
 */
function isServiceLink(name: string, text: string): boolean {
  return /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (name.endsWith("_PORT") && /^(tcp|udp):\/\//.test(text));
}
