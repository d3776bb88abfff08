import assert from "node:assert/strict";
import { Questions } from "../../src/web/questions.ts";

/** Questions whose answers come when a test gives them. */
function asked(options: { timeoutMs?: number } = {}) {
  const under: { topic: string; answer: PromiseWithResolvers<string> }[] = [];
  const questions = new Questions((topic) => {
    const answer = Promise.withResolvers<string>();
    under.push({ topic, answer });
    return answer.promise;
  }, options);
  return { questions, under };
}

Deno.test("Questions asks once for all who wait for the same answer", async () => {
  const { questions, under } = asked();
  const waiting = [questions.ask("status"), questions.ask("status"), questions.ask("metrics")];
  assert.deepEqual(under.map(({ topic }) => topic), ["status", "metrics"]);
  for (const { topic, answer } of under) answer.resolve(`the ${topic}`);
  assert.deepEqual(await Promise.all(waiting), ["the status", "the status", "the metrics"]);
});

Deno.test("Questions asks anew once an answer was given, or refused", async () => {
  const { questions, under } = asked();
  const first = questions.ask("status");
  under[0]?.answer.reject(new Error("no"));
  await assert.rejects(first, { message: "no" });
  const second = questions.ask("status");
  under[1]?.answer.resolve("2");
  assert.equal(await second, "2");
});

Deno.test("Questions tells who asked when no answer comes in time", async () => {
  const { questions } = asked({ timeoutMs: 1 });
  await assert.rejects(questions.ask("status"), {
    message: "The server did not answer within 1 ms",
  });
});
