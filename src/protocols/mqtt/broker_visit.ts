/** Whether an MQTT broker lets this server in: asked without taking a place there. */

import { placeOf } from "../../contract/broker_place.ts";
import { BrokerConnection } from "./broker_connection.ts";
import { type Options, readBroker } from "./broker_options.ts";
import { atSpokenLevel, told } from "./broker_server.ts";

/** A broker's own answers are shorter. */
const MAX_PACKET_BYTES = 65_536;

/**
 * Enters as the server does, and leaves again. Gives back what it found, for people.
 * @throws {ListenError} for a user whom the broker does not let in.
 * @throws {Error} when there is no broker.
 */
export async function visit({ url = "", ...own }: Options, signal: AbortSignal): Promise<string> {
  const broker = readBroker(url);
  const visitor = crypto.getRandomValues(new Uint8Array(6)).toHex();
  try {
    const { connection, level } = await atSpokenLevel((level) =>
      BrokerConnection.open({
        broker,
        ca: own.ca,
        level,
        clientId: `tributary${visitor}`, // [MQTT-3.1.3-5]: every broker takes up to 23 bytes
        keepAliveS: own.keepAliveS,
        connectTimeoutMs: own.connectTimeoutMs,
        maxPacketBytes: MAX_PACKET_BYTES,
        hear: ({ taken }) => taken(),
        signal,
      })
    );
    await connection.end();
    return `${placeOf(broker)} lets the server in, by MQTT ${level === 5 ? "5" : "3.1.1"}`;
  } catch (error) {
    throw told(error, broker);
  }
}
