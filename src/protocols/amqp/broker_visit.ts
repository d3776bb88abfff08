/** Whether an AMQP broker lets this server in: asked without taking a place there. */

import { placeOf } from "../../contract/broker_place.ts";
import { BrokerConnection } from "./broker_connection.ts";
import { type Options, readBroker } from "./broker_options.ts";
import { told } from "./broker_server.ts";

/**
 * Enters as the server does, and leaves again. Gives back what it found, for people.
 * @throws {ListenError} for a user whom the broker does not let in.
 * @throws {Error} when there is no broker.
 */
export async function visit({ url = "", ...own }: Options, signal: AbortSignal): Promise<string> {
  const broker = readBroker(url);
  const { heartbeatS, connectTimeoutMs } = own;
  try {
    const connection = await BrokerConnection.open({
      broker,
      ca: own.ca,
      name: "tributary doctor",
      heartbeatS,
      connectTimeoutMs,
      signal,
    });
    const channel = await connection.model.createChannel();
    await channel.close();
    await connection.end();
    return `${placeOf(broker)} lets the server in, into the virtual host ${broker.vhost}`;
  } catch (error) {
    throw told(error, { broker, federation: "" });
  }
}
