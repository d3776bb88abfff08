/** Authorities that the operator trusts: certificates in PEM, as text, as no Worker reads files. */

import type { Config } from "../config.ts";
import { ConfigError } from "../config/config_error.ts";
import { readNamedFile } from "./named_file.ts";

/**
 * An authority's certificates.
 * @throws {ConfigError} for a file that holds none.
 */
export async function readAuthority(flag: string, path: string, whose: string): Promise<string> {
  const text = new TextDecoder().decode(await readNamedFile(flag, path));
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new ConfigError([
    `${flag} names ${path}, which holds no certificate in PEM; name the ca.pem of ${whose}`,
  ]);
}

/**
 * The configuration with the brokers' authorities as text.
 * @throws {ConfigError} for a file that holds none.
 */
export async function withAuthorities(config: Config): Promise<Config> {
  const { mqttBroker, amqpBroker } = config;
  const read = async (section: "mqttBroker" | "amqpBroker", flag: string) => {
    const { ca } = config[section];
    return ca === undefined ? {} : { ca: await readAuthority(flag, ca, "the broker") };
  };
  return {
    ...config,
    mqttBroker: { ...mqttBroker, ...await read("mqttBroker", "--mqtt-broker-ca") },
    amqpBroker: { ...amqpBroker, ...await read("amqpBroker", "--amqp-broker-ca") },
  };
}
