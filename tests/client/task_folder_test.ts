import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { TaskFolder } from "../../src/client/task_folder.ts";

Deno.test("TaskFolder is a private directory, which another process removes after a kill", async () => {
  let path: string;
  {
    using folder = await TaskFolder.open({ task: { kind: "count" } });
    path = dirname(folder.environment.TRIBUTARY_TASK ?? "");
    assert.ok((await Deno.stat(join(path, ".tributary-lock"))).isFile);
    assert.deepEqual(
      JSON.parse(await Deno.readTextFile(folder.environment.TRIBUTARY_TASK ?? "")),
      { kind: "count" },
    );
  }
  await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
});
