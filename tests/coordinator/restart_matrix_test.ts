/** A server killed with kill -9 in each state of a run, real clients that come back by themselves. */

import assert from "node:assert/strict";
import { Session } from "../../src/client/session.ts";
import { lastingPort } from "../support/lasting_port.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import type { Killing } from "./killed_server.ts";
import { adding } from "./adding_trainer.ts";
import { KilledServer } from "./killed_server_process.ts";
import { valuesOf } from "../support/member.ts";

/** A power of two: each client's share of the mean is exact in float32. */
const CLIENTS = 4;
const ROUNDS = 2;
/** An update has several parts of 1 KiB. */
const PARAMETERS = 1024;

const STATES: readonly [state: string, killing: Killing][] = [
  ["gathering", { call: "keepSession", when: "done", count: 3 }],
  ["training, no update in", { call: "begin", when: "done", count: 1 }],
  ["training, in mid-upload", { call: "part", when: "done", outcome: "held", count: 5 }],
  ["training, one update in", { call: "part", when: "done", outcome: "accepted", count: 1 }],
  ["training, all but one in", { call: "part", when: "done", outcome: "accepted", count: 3 }],
  ["training, all in", { call: "part", when: "done", outcome: "accepted", count: 4 }],
  ["training round 2", { call: "part", when: "done", outcome: "accepted", count: 6 }],
  ["about to aggregate", { call: "close", when: "asked", count: 1 }],
  ["having aggregated", { call: "close", when: "done", count: 1 }],
  ["about to save", { call: "save", when: "asked", count: 1 }],
  ["having saved", { call: "save", when: "done", count: 1 }],
  ["having saved the last model", { call: "save", when: "done", count: 2 }],
  ["evaluating", { call: "evaluated", when: "asked", count: 1 }],
  ["having evaluated", { call: "evaluated", when: "done", count: 1 }],
  ["about to finish", { call: "finish", when: "asked", count: 1 }],
  ["announcing Finish", { call: "finish", when: "done", count: 1 }],
  ["announcing Finish, one confirmed", { call: "endSession", when: "done", count: 1 }],
  ["announcing Finish, all but one confirmed", { call: "endSession", when: "done", count: 3 }],
  ["about to end", { call: "end", when: "asked", count: 1 }],
];

for (const [state, killing] of STATES) {
  Deno.test(`killed ${state}, a server goes on where it was: each update counts once`, async () => {
    using directory = new StateDirectory();
    const spec = {
      state: directory.path,
      clients: CLIENTS,
      rounds: ROUNDS,
      parameters: PARAMETERS,
    };
    const port = lastingPort();
    await using first = new KilledServer({ ...spec, port, killing, hasty: false });
    const { url, runId } = await first.listening();
    const trainers = Array.from({ length: CLIENTS }, (_, index) => adding(index));
    const runIds = new Set<string>();
    const stop = new AbortController();
    const sessions = trainers.map((trainer, index) =>
      new Session({
        clientId: `client-${index}`,
        urls: [new URL(url)],
        trainer,
        software: "test",
        signal: stop.signal,
        backoff: { firstMs: 20, mostMs: 100 },
        observe: (event) => event.kind === "welcomed" && runIds.add(event.runId),
      }).run()
    );
    const finals = Promise.all(sessions);
    finals.catch(() => {});
    assert.equal((await first.ended()).signal, "SIGKILL");
    // Who sent its confirmation as the server died does not come back to repeat it.
    const hasty = killing.call === "endSession" || killing.call === "end";
    // What the vault was asked and had not carried out yet died with it: a confirmation counts once
    // it is kept.
    const kept = killing.call === "endSession" ? killing.count : 0;
    await using second = new KilledServer({ ...spec, port, killing: undefined, hasty });
    try {
      assert.equal((await second.listening()).runId, runId);
      const { rounds, sha256, confirmed } = await second.outcome();
      assert.equal(rounds, ROUNDS);
      assert.ok(confirmed.length >= (hasty ? kept : CLIENTS), `${confirmed} confirmed`);
      const share = ROUNDS / CLIENTS;
      const expected = Array.from({ length: PARAMETERS }, (_, at) => at < CLIENTS ? share : 0);
      for (const { model } of await finals) {
        assert.deepEqual(valuesOf(model), expected);
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
        assert.equal(digest.toHex(), sha256);
      }
      assert.deepEqual([...runIds], [runId]);
      // Who kept its session keeps its work: nobody trains a round twice.
      for (const { calls } of trainers) {
        const trained = calls.all.filter(({ kind }) => kind === "train");
        assert.deepEqual(trained.map(({ task }) => task?.round), [1, 2]);
      }
      assert.equal((await second.ended()).code, 0);
    } finally {
      stop.abort();
      await Promise.allSettled(sessions);
    }
  });
}
