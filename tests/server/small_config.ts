/** A configuration for tests: one wire on any free port, no status page, a model of four weights. */

import { join } from "node:path";
import { type Config, readConfig } from "../../src/config.ts";
import { weights } from "../support/federation.ts";

export const MODEL = weights([0, 0, 0, 0]);

/** @param directory Where the model is put. */
export function smallConfig(
  directory: string,
  flags: Readonly<Record<string, string | boolean>> = {},
): Config {
  const model = join(directory, "start.safetensors");
  Deno.writeFileSync(model, MODEL);
  const all = { model, protocols: "grpc", "grpc-port": "0", web: false, rounds: "1", ...flags };
  return readConfig({ flags: all }).config;
}
