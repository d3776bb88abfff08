import assert from "node:assert/strict";
import { Newest } from "../../src/client/newest.ts";

Deno.test("Newest does one thing after the other, and of each kind the newest alone", async () => {
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  const newest = new Newest<"a" | "b", number>(async (kind, content) => {
    if (content === 1) await first.promise;
    done.push(`${kind}${content}`);
  });
  const all = [
    newest.put("a", 1),
    newest.put("a", 2),
    newest.put("b", 3),
    newest.put("a", 4),
    newest.put("b", 5),
  ];
  assert.deepEqual(done, []);
  first.resolve();
  await Promise.all(all);
  assert.deepEqual(done, ["a1", "a4", "b5"]);
  await newest.settled();
});

Deno.test("Newest.put() resolves when it is done, and works on when it was idle", async () => {
  const done: number[] = [];
  const newest = new Newest<"a", number>((_kind, content) => {
    done.push(content);
    return Promise.resolve();
  });
  await newest.settled();
  await newest.put("a", 1);
  assert.deepEqual(done, [1]);
  await newest.settled();
  await newest.put("a", 2);
  assert.deepEqual(done, [1, 2]);
});
