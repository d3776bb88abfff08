/** What a server of this configuration begins with: the run in its state directory, or a new one. */

import type { Config } from "../../config.ts";
import { ConfigError } from "../../config/config_error.ts";
import { readModel } from "../../server/model.ts";
import { Archive, holdsRun } from "../../vault/archive.ts";
import { failed, failedAs, type Finding, ok } from "./finding.ts";

export interface RunFound {
  readonly finding: Finding;
  /** Length of the model that is trained; undefined where there is none. */
  readonly modelBytes: number | undefined;
}

const CHECK = "run";

export async function checkRun(config: Config): Promise<RunFound> {
  const { state } = config;
  if (state !== undefined && holdsRun(state)) return keptRun(state, config.name);
  try {
    const { bytes } = await readModel(config);
    const from = config.training.model ?? "fresh weights";
    return { finding: ok(CHECK, `a new one, from ${from}`), modelBytes: bytes.length };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { finding: failedAs(CHECK, error.message), modelBytes: undefined };
  }
}

function keptRun(state: string, name: string): RunFound {
  using archive = new Archive(state);
  const run = archive.records.run();
  const newest = archive.models().at(-1);
  const modelBytes = newest?.bytes;
  if (newest === undefined) {
    const finding = failed(
      CHECK,
      `${state} lacks its newest model`,
      "bring it back, or choose another --state",
    );
    return { finding, modelBytes };
  }
  if (run?.finished !== undefined) {
    const finding = failed(
      CHECK,
      `the one in ${state} is over`,
      "choose another --state for a new run",
    );
    return { finding, modelBytes };
  }
  if (run !== undefined && run.name !== name) {
    const seen = `${state} holds the federation ${run.name}, not ${name}`;
    return {
      finding: failed(CHECK, seen, `choose another --state, or --name ${run.name}`),
      modelBytes,
    };
  }
  return { finding: ok(CHECK, `${state} goes on after round ${newest.round}`), modelBytes };
}
