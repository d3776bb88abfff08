import assert from "node:assert/strict";
import { checkRuntime } from "../../../src/cli/doctor/runtime.ts";
import { readConfig } from "../../../src/config.ts";
import { grpcRefusal } from "../../../src/protocols/grpc/support.ts";

Deno.test("checkRuntime() finds nothing amiss where gRPC is served, or not asked for", () => {
  for (const protocols of [...(grpcRefusal() === undefined ? ["mqtt,grpc"] : []), "mqtt"]) {
    const { config } = readConfig({ flags: { protocols } });
    const { state, seen } = checkRuntime(config, { mandatory: true });
    assert.equal(state, "ok", seen);
    assert.ok(seen.startsWith(Deno.version.deno));
  }
});
