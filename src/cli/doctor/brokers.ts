/** Whether the brokers that the configuration names let the server in. */

import type { Config } from "../../config.ts";
import { ConfigError } from "../../config/config_error.ts";
import { ListenError } from "../../contract/protocol_server.ts";
import { type BrokerName, BROKERS, visitBroker } from "../../protocols/mod.ts";
import { withAuthorities } from "../../server/authorities.ts";
import { failed, failedAs, type Finding, ok, reasonOf } from "./finding.ts";

/** Dials each broker with the credentials that it is configured with, by the server's own means. */
export async function checkBrokers(config: Config, signal: AbortSignal): Promise<Finding[]> {
  const named = (Object.keys(BROKERS) as BrokerName[])
    .filter((name) => config[BROKERS[name]].url !== undefined);
  return await Promise.all(named.map((name) => checkBroker(name, { config, signal })));
}

async function checkBroker(
  name: BrokerName,
  { config, signal }: { readonly config: Config; readonly signal: AbortSignal },
): Promise<Finding> {
  const check = `broker ${name}`;
  try {
    return ok(check, await visitBroker(name, await withAuthorities(config), signal));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ConfigError) return failedAs(check, error.message);
    if (error instanceof ListenError) return failedAs(check, error.message);
    const flag = `--${name.replace("@", "-")}`;
    return failed(
      check,
      reasonOf(error),
      `start the broker, or correct ${flag}; a server waits for it`,
    );
  }
}
