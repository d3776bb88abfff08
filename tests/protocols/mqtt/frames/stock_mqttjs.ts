/** mqtt.js as anybody would use it: `stock_mqttjs.ts PORT LEVEL [ws]`. Recorded by record.ts. */

import { Buffer } from "node:buffer";
import { connectAsync, type IClientOptions } from "mqtt";
import { HELLO } from "./hello.ts";

const [port, level, scheme = "mqtt"] = Deno.args;
const protocolVersion = Number(level) as 4 | 5;
const up = "fl/default/up/client-1";
const will = { topic: up, payload: Buffer.from(HELLO), qos: 1 as const, retain: false };
const settings: IClientOptions = { clientId: "client-1", protocolVersion, will };
const client = await connectAsync(`${scheme}://127.0.0.1:${port}`, settings);
await client.subscribeAsync(["fl/default/down/client-1", "fl/default/state"], { qos: 1 });
for (const qos of [0, 1, 2] as const) await client.publishAsync(up, Buffer.from(HELLO), { qos });
await client.unsubscribeAsync("fl/default/state");
await client.endAsync();
