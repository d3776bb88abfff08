import assert from "node:assert/strict";
import { options, permissions } from "../../src/web/options.ts";

Deno.test("permissions let the Worker listen on its own port, and nothing else", () => {
  const { net, ...others } = permissions(options.parse({ port: 8081 }));
  assert.deepEqual(net, ["127.0.0.1:8081"]);
  assert.deepEqual(new Set(Object.values(others)), new Set([false]));
  assert.deepEqual(permissions(options.parse({ hostname: "::1" })).net, ["[::1]:8080"]);
});

Deno.test("permissions let the Worker read the files it serves, and no other", () => {
  const { net, read, ...others } = permissions(options.parse({}), ["/packages/tf.js"]);
  assert.deepEqual([net, read], [["127.0.0.1:8080"], ["/packages/tf.js"]]);
  assert.deepEqual(new Set(Object.values(others)), new Set([false]));
});
