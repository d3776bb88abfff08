import assert from "node:assert/strict";
import fc from "fast-check";
import { clientMessage } from "../../src/contract/codec.ts";
import { type DiallingOptions, pause, pauseMs, reach } from "../../src/client/dialling.ts";
import { serverOptions } from "../protocols/subject.ts";
import { ManualTimers } from "../support/manual_timers.ts";
import { mqtt } from "../support/mqtt.ts";
import { ScriptedCoordinator } from "../support/scripted_coordinator.ts";

interface Failure {
  readonly url: string;
  readonly retryInMs: number | undefined;
}

function options(urls: readonly string[], more: Partial<DiallingOptions> = {}) {
  const failures: Failure[] = [];
  const all: DiallingOptions = {
    urls: urls.map((url) => new URL(url)),
    clientId: "a",
    will: clientMessage({}),
    signal: new AbortController().signal,
    backoff: { firstMs: 1, mostMs: 4 },
    dialTimeoutMs: 60_000,
    failed: (url, _, retryInMs) => failures.push({ url: url.href, retryInMs }),
    ...more,
  };
  return { all, failures };
}

async function listening(port = 0) {
  const server = mqtt.make(serverOptions("mqtt"), mqtt.own(port));
  const [address] = await server.listen(new ScriptedCoordinator());
  assert.ok(address);
  return { server, url: address.url };
}

/** An address where nobody listens. */
async function deserted(): Promise<string> {
  const { server, url } = await listening();
  await server[Symbol.asyncDispose]();
  return url;
}

Deno.test("reach() connects to the first address that answers, in their order", async () => {
  const [one, two] = [await listening(), await listening()];
  await using _one = one.server;
  await using _two = two.server;
  const { all, failures } = options([await deserted(), two.url, one.url]);
  await using _ = await reach(all);
  assert.deepEqual(failures.map(({ retryInMs }) => retryInMs), [undefined]);
  assert.equal((await one.server.traffic()).connections, 0);
  assert.equal((await two.server.traffic()).connections, 1);
});

Deno.test("reach() tries again after a pause, until somebody listens", async () => {
  const url = await deserted();
  const tried = Promise.withResolvers<void>();
  const retries: (number | undefined)[] = [];
  const { all } = options([url], {
    failed: (_url, _reason, retryInMs) => {
      retries.push(retryInMs);
      if (retries.length === 3) tried.resolve();
    },
  });
  const connecting = reach(all);
  await tried.promise;
  const { server } = await listening(Number(new URL(url).port));
  await using _server = server;
  await using _ = await connecting;
  for (const [index, cap] of [1, 2, 4].entries()) {
    const retryInMs = retries[index] ?? NaN;
    assert.ok(retryInMs >= cap / 2 && retryInMs < cap, `${retryInMs}`);
  }
});

Deno.test("an address that takes the connection and never answers is given up", async () => {
  using timers = new ManualTimers();
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { url, server } = await listening();
  await using _server = server;
  const silent = `mqtt://127.0.0.1:${mute.addr.port}/default`;
  const { all, failures } = options([silent, url], { dialTimeoutMs: 100 });
  const reaching = reach(all);
  using _taken = await mute.accept();
  timers.pass(100); // the next one has all the time it needs
  await using _ = await reaching;
  assert.deepEqual(failures.map((failure) => failure.url), [silent]);
});

Deno.test("an address that no wire reads is a TypeError, not a failed try", async () => {
  const { all, failures } = options(["http://127.0.0.1:1/default"]);
  await assert.rejects(reach(all), TypeError);
  assert.deepEqual(failures, []);
});

Deno.test("reach() ends with the signal's reason, while it dials and while it pauses", async () => {
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = `mqtt://127.0.0.1:${mute.addr.port}/default`;
  const dialling = new AbortController();
  const dialled = reach(options([silent], { signal: dialling.signal }).all);
  (await mute.accept()).close();
  dialling.abort(new Error("Ctrl-C"));
  await assert.rejects(dialled, { message: "Ctrl-C" });

  const pausing = new AbortController();
  const failed = Promise.withResolvers<void>();
  const paused = reach(
    options([await deserted()], {
      signal: pausing.signal,
      backoff: { firstMs: 1e6, mostMs: 1e6 },
      failed: () => failed.resolve(),
    }).all,
  );
  await failed.promise;
  pausing.abort(new Error("Ctrl-C"));
  await assert.rejects(paused, { message: "Ctrl-C" });
  await assert.rejects(reach(options([silent], { signal: pausing.signal }).all), {
    message: "Ctrl-C",
  });
});

Deno.test("pause() rejects with the signal's reason, at once where it has fired", async () => {
  await pause(0, new AbortController().signal);
  const reason = new Error("stop");
  await assert.rejects(pause(1e6, AbortSignal.abort(reason)), reason);
  const abort = new AbortController();
  const paused = pause(1e6, abort.signal);
  abort.abort(reason);
  await assert.rejects(paused, reason);
});

Deno.test("pauses double up to the cap, and spread over the half of it", () => {
  const backoffs = fc.record({
    firstMs: fc.integer({ min: 1, max: 1000 }),
    mostMs: fc.integer({ min: 1000, max: 100_000 }),
  });
  const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(fc.property(fc.nat({ max: 5000 }), backoffs, dice, (failures, backoff, random) => {
    const cap = Math.min(backoff.mostMs, backoff.firstMs * 2 ** Math.min(failures, 1000));
    const ms = pauseMs(failures, backoff, random);
    assert.ok(ms >= cap / 2 && ms <= cap, `${ms} of ${cap}`);
    assert.ok(pauseMs(failures + 1, backoff, random) >= ms);
  }));
});
