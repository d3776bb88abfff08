/** A server killed with kill -9 under which files of accepted updates are damaged, as by a power cut. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { Session } from "../../src/client/session.ts";
import { lastingPort } from "../support/lasting_port.ts";
import { valuesOf } from "../support/member.ts";
import { DAMAGES } from "../vault/damages.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { adding } from "./adding_trainer.ts";
import type { Killing } from "./killed_server.ts";
import { KilledServer } from "./killed_server_process.ts";

/** A power of two: each client's share of the mean is exact in float32. */
const CLIENTS = 4;
const ROUNDS = 2;
const PARAMETERS = 1024;

const STATES: readonly [state: string, killing: Killing][] = [
  ["training, one update in", { call: "part", when: "done", outcome: "accepted", count: 1 }],
  ["training, all but one in", { call: "part", when: "done", outcome: "accepted", count: 3 }],
  ["training, all in", { call: "part", when: "done", outcome: "accepted", count: 4 }],
  ["training round 2", { call: "part", when: "done", outcome: "accepted", count: 6 }],
  ["having aggregated", { call: "close", when: "done", count: 1 }],
  // Clients hold the model, and may have begun the next round with it.
  ["about to save", { call: "save", when: "asked", count: 1 }],
];

/** Each state with another damage to one file, and with all files missing. */
const CASES = STATES.flatMap(([state, killing], index) => {
  const [damage, what] = DAMAGES[index % DAMAGES.length] ?? assert.fail();
  return [
    { state, killing, damage, what: `a file is ${what}`, most: 1 },
    { state, killing, damage: remove, what: "all files are missing", most: CLIENTS },
  ];
});

function remove(path: string): void {
  Deno.removeSync(path);
}

for (const { state, killing, damage, what, most } of CASES) {
  Deno.test(`killed ${state}, and ${what}: the round goes on, the model is exact`, async () => {
    using directory = new StateDirectory();
    const spec = {
      state: directory.path,
      clients: CLIENTS,
      rounds: ROUNDS,
      parameters: PARAMETERS,
      hasty: false,
    };
    const port = lastingPort();
    await using first = new KilledServer({ ...spec, port, killing });
    const { url, runId } = await first.listening();
    const stop = new AbortController();
    const sessions = Array.from({ length: CLIENTS }, (_, index) =>
      new Session({
        clientId: `client-${index}`,
        urls: [new URL(url)],
        trainer: adding(index),
        software: "test",
        signal: stop.signal,
        backoff: { firstMs: 20, mostMs: 100 },
        observe: () => {},
      }).run());
    const finals = Promise.all(sessions);
    finals.catch(() => {});
    try {
      assert.equal((await first.ended()).signal, "SIGKILL");
      const files = directory.files("updates").slice(0, most);
      assert.ok(files.length > 0);
      for (const file of files) damage(join(directory.path, file));
      await using second = new KilledServer({ ...spec, port, killing: undefined });
      assert.equal((await second.listening()).runId, runId);
      const { rounds, confirmed } = await second.outcome();
      assert.equal(rounds, ROUNDS);
      assert.equal(confirmed.length, CLIENTS);
      const share = ROUNDS / CLIENTS;
      const expected = Array.from({ length: PARAMETERS }, (_, at) => at < CLIENTS ? share : 0);
      for (const { model } of await finals) assert.deepEqual(valuesOf(model), expected);
      assert.equal((await second.ended()).code, 0);
    } finally {
      stop.abort();
      await Promise.allSettled(sessions);
    }
  });
}
