import assert from "node:assert/strict";
import { lastingPort } from "./lasting_port.ts";

Deno.test("lastingPort() is free for TCP and UDP, and none that connections get", () => {
  const port = lastingPort();
  assert.ok(port >= 20_000 && port < 32_000, String(port));
  using listener = Deno.listen({ hostname: "127.0.0.1", port });
  assert.equal(listener.addr.port, port);
});
