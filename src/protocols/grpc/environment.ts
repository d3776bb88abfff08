/**
 * grpc-js reads tracing and TLS variables of its own from the environment when it is loaded. The
 * server's Worker is given none, and a refusal would be an error at import; there the process has an
 * empty environment instead. Imported before grpc-js.
 */

import process from "node:process";

if (Deno.permissions.querySync({ name: "env" }).state !== "granted") {
  Object.defineProperty(process, "env", { value: {}, configurable: true, writable: true });
}
