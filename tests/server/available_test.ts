import assert from "node:assert/strict";
import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import { ListenError } from "../../src/contract/protocol_server.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { library } from "../protocols/dds/library.ts";
import { available } from "../../src/server/available.ts";

Deno.test("available() leaves a configuration without DDS as it is", () => {
  const { config } = readConfig({ flags: { protocols: "mqtt,grpc" } });
  assert.deepEqual(available(config, { mandatory: true }), { config, missing: {} });
});

Deno.test("available() names the library that DDS stands on where the operator names one", () => {
  const { config } = readConfig({ flags: { "dds-library": library } });
  const result = available(config);
  assert.equal(result.config.dds.library, library);
  assert.deepEqual(result.config.protocols, config.protocols);
  assert.deepEqual(result.missing, {});
});

Deno.test("available() refuses a file of the operator's that is no libddsc", () => {
  using directory = new StateDirectory();
  const file = join(directory.path, "libddsc.so");
  Deno.writeTextFileSync(file, "no library");
  const { config } = readConfig({ flags: { "dds-library": file } });
  assert.throws(
    () => available(config),
    (error) =>
      error instanceof ListenError &&
      /^Cannot use .* as libddsc: .*--dds-library$/.test(error.message),
  );
});

Deno.test("available() refuses a library of the operator's that is not there", () => {
  const { config } = readConfig({ flags: { "dds-library": "./none.so" } });
  assert.throws(
    () => available(config),
    (error) => error instanceof ListenError && /names \.\/none\.so, but there/.test(error.message),
  );
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
