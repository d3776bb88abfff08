import assert from "node:assert/strict";
import { raiseOpenFiles } from "../../src/cli/open_files.ts";

Deno.test({
  name: "raiseOpenFiles() allows this process as many as the system would let it",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    const raised = raiseOpenFiles();
    const limits = Deno.readTextFileSync("/proc/self/limits");
    const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(limits) ?? [];
    assert.deepEqual([soft, hard], [String(raised), String(raised)]);
  },
});
