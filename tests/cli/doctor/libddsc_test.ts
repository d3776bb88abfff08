import assert from "node:assert/strict";
import { join } from "node:path";
import { checkLibddsc } from "../../../src/cli/doctor/libddsc.ts";
import { readConfig } from "../../../src/config.ts";
import { library } from "../../protocols/dds/library.ts";
import { StateDirectory } from "../../vault/state_directory.ts";

function check(path: string, protocols = "dds") {
  const { config } = readConfig({ flags: { "dds-library": path, protocols } });
  return checkLibddsc(config, { mandatory: true });
}

Deno.test("checkLibddsc() loads the library, and tells its version", () => {
  const finding = check(library);
  assert.equal(finding.state, "ok", finding.seen);
  assert.match(finding.seen, / loads: Cyclone DDS (11|0\.10)/);
});

Deno.test("checkLibddsc() says why a library cannot be used, once, and what to do", () => {
  using folder = new StateDirectory();
  const none = join(folder.path, "none.so");
  const text = join(folder.path, "text.so");
  Deno.writeTextFileSync(text, "no library");
  const [missing, broken] = [check(none), check(text)];
  assert.equal(missing.state, "failed");
  assert.match(missing.seen, /^Cannot use .*none\.so as libddsc: .*No such file/);
  assert.equal(missing.seen.split("none.so").length, 2, missing.seen);
  assert.equal(broken.state, "failed");
  for (const { todo } of [missing, broken]) assert.match(todo, /--dds-library/);
});

Deno.test({
  name: "checkLibddsc() knows another library from libddsc",
  ignore: Deno.build.os !== "linux", // the C library's name elsewhere is another
  fn: () => {
    const finding = check("libm.so.6");
    assert.equal(finding.state, "failed");
    assert.match(finding.seen, /^Cannot use libm\.so\.6 as libddsc: it has no dds_\w+$/);
  },
});

Deno.test("checkLibddsc() asks for none where DDS is not served", () => {
  assert.equal(check("/none.so", "mqtt").state, "ok");
});
