/**
 * mqtt-packet's dependencies read the environment when they are loaded: readable-stream asks for
 * one variable, debug lists them all. The endpoint's Worker is given none, and a refusal would be an
 * error at import; there the process has an empty environment instead. Imported before mqtt-packet.
 */

import process from "node:process";

if (Deno.permissions.querySync({ name: "env" }).state !== "granted") {
  Object.defineProperty(process, "env", { value: {}, configurable: true, writable: true });
}
