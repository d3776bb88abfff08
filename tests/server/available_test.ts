import assert from "node:assert/strict";
import { readConfig } from "../../src/config.ts";
import { ListenError } from "../../src/contract/protocol_server.ts";
import { available } from "../../src/server/available.ts";

Deno.test("available() leaves a configuration without DDS as it is", () => {
  const { config } = readConfig({ flags: { protocols: "mqtt,grpc" } });
  assert.deepEqual(available(config, { mandatory: true }), { config, missing: {} });
});

Deno.test("available() names the library that DDS stands on where the operator names one", () => {
  const { config } = readConfig({ flags: { "dds-library": "here/libddsc.so" } });
  const result = available(config);
  assert.equal(result.config.dds.library, "here/libddsc.so");
  assert.deepEqual(result.config.protocols, config.protocols);
  assert.deepEqual(result.missing, {});
});

Deno.test("available() either finds libddsc, or leaves DDS out and says what to do", () => {
  const { config } = readConfig({});
  const { config: possible, missing } = available(config);
  if (possible.protocols.includes("dds")) {
    assert.ok(possible.dds.library);
    assert.deepEqual(missing, {});
  } else {
    assert.match(missing.dds ?? "", /DDS needs libddsc.*--dds-library/);
    assert.throws(() => available(config, { mandatory: true }), ListenError);
  }
});
