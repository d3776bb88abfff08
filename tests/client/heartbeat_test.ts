import { Heartbeat } from "../../src/client/heartbeat.ts";

Deno.test("Heartbeat beats until it is stopped, and can be started again", async () => {
  let beats = 0;
  let beaten = Promise.withResolvers<void>();
  using heartbeat = new Heartbeat(() => {
    if (++beats === 3) beaten.resolve();
  });
  heartbeat.start(1);
  heartbeat.start(1); // one interval, not two
  await beaten.promise;
  heartbeat.stop();
  heartbeat.stop();
  beats = 0;
  beaten = Promise.withResolvers();
  heartbeat.start(1);
  await beaten.promise;
});
