/** What every protocol server does in a federation: with the real coordinator and vault behind it. */

import assert from "node:assert/strict";
import { ClosingReason, TaskKind, Verdict } from "../../src/contract/federation_pb.ts";
import { encodeSafetensors } from "../../src/weights/safetensors.ts";
import {
  type AnySubject,
  Federation,
  type FederationSpec,
  HEARTBEAT_MS,
  weights,
} from "../support/federation.ts";
import { partOf, valuesOf } from "../support/member.ts";
import { body, heartbeat } from "../support/peer.ts";

const SIX = [1, 2, 3, 4, 5, 6];

export function federationConformance(subject: AnySubject): void {
  for (const placement of ["in process", "in its Worker"] as const) {
    const claim = (
      text: string,
      spec: Omit<FederationSpec, "subjects" | "placement">,
      test: (federation: Federation) => Promise<void>,
    ) =>
      Deno.test(`${subject.wire} ${placement}, in a federation: ${text}`, async () => {
        await using federation = await Federation.open({ subjects: [subject], placement, ...spec });
        await test(federation);
      });

    claim("an update is accepted and becomes the model", {}, async (federation) => {
      await using member = await federation.join("client-1");
      assert.deepEqual(valuesOf(await member.model(0)), [0, 0, 0, 0]);
      const task = await member.task(1);
      const receipt = await member.update(task, weights([1, 2, 3, 4]), { partBytes: 7 });
      assert.equal(receipt.verdict, Verdict.ACCEPTED, receipt.detail);
      assert.deepEqual(valuesOf(await member.model(1)), [1, 2, 3, 4]);
      assert.equal((await member.confirm()).verdict, Verdict.ACCEPTED);
      const outcome = await federation.coordinator.finished;
      assert.equal(outcome.rounds, 1);
      assert.deepEqual(outcome.confirmed, ["client-1"]);
    });

    claim("a client that registers twice is here once, the newest route wins", {
      plan: { minClients: 2 },
    }, async (federation) => {
      await using first = await federation.join("client-1");
      await using second = await federation.join("client-1");
      const closing = await first.hears("closing").catch(() => undefined);
      // A wire may take the connection over before the coordinator can speak on it.
      if (closing !== undefined) assert.equal(closing.reason, ClosingReason.REPLACED);
      await first.peer.connection.lost;
      assert.equal((await second.ask(heartbeat())).verdict, Verdict.ACCEPTED);
      assert.equal(federation.coordinator.clients().length, 1);
    });

    claim("a redelivered Hello gets the same Welcome", {}, async (federation) => {
      await using member = await federation.dial("client-1");
      const nonce = crypto.getRandomValues(new Uint8Array(16));
      const once = await member.hello({ nonce });
      const twice = await member.hello({ nonce });
      assert.deepEqual(twice.session, once.session);
      assert.equal(federation.coordinator.clients().length, 1);
      assert.equal((await member.ask(heartbeat())).verdict, Verdict.ACCEPTED);
    });

    claim("what is wrong with an update is said, and nothing of it is kept", {
      plan: { rounds: 2, minClients: 2 },
      limits: { maxUpdateBytes: 4096 },
    }, async (federation) => {
      await using member = await federation.join("client-1");
      await using other = await federation.join("client-2");
      const task = await member.task(1);
      const others = await other.task(1);
      const good = weights([1, 2, 3, 4]);
      const verdict = async (asked: ReturnType<typeof member.ask>, expected: Verdict) => {
        const receipt = await asked;
        assert.equal(Verdict[receipt.verdict], Verdict[expected], receipt.detail);
        assert.notEqual(receipt.detail, "");
      };
      await verdict(member.update(task, good, { taskId: others.taskId }), Verdict.UNAUTHORISED);
      await verdict(member.update(task, good, { taskId: 1000 }), Verdict.EARLY);
      await verdict(member.update(task, good, { modelRound: 1 }), Verdict.EARLY);
      await verdict(member.update(task, good, { samples: 101 }), Verdict.OUT_OF_RANGE);
      await verdict(member.update(task, good, { samples: 0 }), Verdict.MALFORMED);
      await verdict(member.update(task, new Uint8Array(5000)), Verdict.OVERSIZED);
      await verdict(member.update(task, new Uint8Array(100)), Verdict.MALFORMED);
      await verdict(member.update(task, weights([1, 2, 3])), Verdict.WRONG_SHAPE);
      await verdict(member.update(task, renamed()), Verdict.WRONG_SHAPE);
      await verdict(member.update(task, weights([1, NaN, 3, 4])), Verdict.NON_FINITE);
      await verdict(member.update(task, weights([1, 2, 1e30, 4])), Verdict.OUT_OF_RANGE);
      await verdict(member.update(task, good, { metrics: { loss: NaN } }), Verdict.NON_FINITE);
      const heldElsewhere = member.ask(heartbeat(), { runId: "another run" });
      await verdict(heldElsewhere, Verdict.OTHER_RUN);
      const stolen = member.ask(heartbeat(), { session: other.session });
      await verdict(stolen, Verdict.UNAUTHORISED);
      await verdict(
        member.ask(body({ case: "sealed", value: {} })),
        Verdict.UNSUPPORTED,
      );
      assert.equal((await member.update(task, good)).verdict, Verdict.ACCEPTED);
      await verdict(member.update(task, good), Verdict.DUPLICATE);
      assert.equal((await other.update(others, good)).verdict, Verdict.ACCEPTED);
      assert.deepEqual(valuesOf(await member.model(1)), [1, 2, 3, 4]);
      await verdict(member.update(task, good), Verdict.DUPLICATE);
    });

    claim("a message without a session is told to say Hello", {}, async (federation) => {
      await using member = await federation.dial("client-1");
      member.runId = federation.coordinator.runId;
      assert.equal((await member.ask(heartbeat())).verdict, Verdict.NO_SESSION);
    });

    claim("a late joiner gets the current model, and a task in the next round", {
      plan: { rounds: 3 },
    }, async (federation) => {
      await using member = await federation.join("client-1");
      assert.equal(
        (await member.update(await member.task(1), weights(SIX.slice(0, 4)))).verdict,
        1,
      );
      await member.task(2);
      await using late = await federation.join("client-2");
      assert.deepEqual(valuesOf(await late.model(1)), [1, 2, 3, 4]);
      assert.equal((await member.update(await member.task(2), weights([4, 4, 4, 4]))).verdict, 1);
      const task = await late.task(3);
      assert.equal(task.modelRound, 2);
      assert.deepEqual(valuesOf(await late.model(2)), [4, 4, 4, 4]);
    });

    claim("an upload goes on where it stopped, on another connection", {
      plan: { minClients: 1 },
    }, async (federation) => {
      const uploadId = new Uint8Array(16).fill(7);
      const update = weights([1, 2, 3, 4]);
      const first = await federation.join("client-1");
      const task = await first.task(1);
      const half = await first.part(task, update, { to: 40, uploadId });
      assert.equal(half.nextOffset, 40n);
      await first[Symbol.asyncDispose]();
      await federation.logged("route detached", { client: "client-1" });
      await using second = await federation.dial("client-1");
      await second.hello({ session: first.session });
      const again = await second.task(1);
      assert.equal(again.taskId, task.taskId);
      const ahead = await second.part(again, update, { from: 60, uploadId });
      assert.equal(ahead.verdict, Verdict.GAP);
      assert.equal(ahead.nextOffset, 40n);
      const rest = await second.part(again, update, { from: 40, uploadId });
      assert.equal(rest.verdict, Verdict.ACCEPTED, rest.detail);
    });

    claim(
      "another upload id starts again, and its predecessor cannot undo it",
      {},
      async (federation) => {
        await using member = await federation.join("client-1");
        const task = await member.task(1);
        const update = weights([1, 2, 3, 4]);
        const [older, newer] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
        assert.equal(
          (await member.part(task, update, { to: 40, uploadId: older })).nextOffset,
          40n,
        );
        assert.equal(
          (await member.part(task, update, { to: 30, uploadId: newer })).nextOffset,
          30n,
        );
        const late = await member.part(task, update, { from: 40, uploadId: older });
        assert.equal(late.verdict, Verdict.STALE);
        const rest = await member.part(task, update, { from: 30, uploadId: newer });
        assert.equal(rest.verdict, Verdict.ACCEPTED, rest.detail);
      },
    );

    claim(
      "a redelivered part is harmless, other bytes at its offset are malformed",
      {},
      async (federation) => {
        await using member = await federation.join("client-1");
        const task = await member.task(1);
        const update = weights([1, 2, 3, 4]);
        assert.equal((await member.part(task, update, { to: 40 })).nextOffset, 40n);
        const repeated = await member.part(task, update, { to: 40 });
        assert.equal(repeated.verdict, Verdict.HELD);
        assert.equal(repeated.nextOffset, 40n);
        const forged = update.slice();
        forged[20] = 255;
        assert.equal((await member.part(task, forged, { to: 40 })).verdict, Verdict.MALFORMED);
        const rest = await member.part(task, update, { from: 40 });
        assert.equal(rest.verdict, Verdict.ACCEPTED, rest.detail);
      },
    );

    claim("a client that vanishes in mid-upload is not waited for for ever", {
      plan: { minClients: 2 },
    }, async (federation) => {
      await using steady = await federation.join("steady");
      const vanishing = await federation.join("vanishing");
      const update = weights([1, 2, 3, 4]);
      await vanishing.part(await vanishing.task(1), update, { to: 40 });
      assert.equal((await steady.update(await steady.task(1), update)).verdict, Verdict.ACCEPTED);
      await vanishing[Symbol.asyncDispose]();
      await federation.logged("route detached", { client: "vanishing" });
      for (let passed = 0; passed < 5; passed++) {
        assert.equal((await steady.ask(heartbeat())).verdict, Verdict.ACCEPTED);
        federation.clock.pass(HEARTBEAT_MS);
      }
      await federation.logged("client left", { client: "vanishing", reason: "silent" });
      const closed = await steady.hears("roundClosed");
      assert.equal(closed.clients, 1);
      assert.deepEqual(valuesOf(await steady.model(1)), [1, 2, 3, 4]);
    });

    claim("clients evaluate the model beside the next round", {
      plan: { rounds: 2 },
      evaluateFraction: 1,
    }, async (federation) => {
      await using member = await federation.join("client-1");
      assert.equal((await member.update(await member.task(1), weights([1, 1, 1, 1]))).verdict, 1);
      const task = await member.task(1, TaskKind.EVALUATE);
      const value = { taskId: task.taskId, samples: 10, metrics: { accuracy: 0.5 } };
      const answered = await member.ask(body({ case: "evaluation", value }));
      assert.equal(answered.verdict, Verdict.ACCEPTED, answered.detail);
      await federation.logged("model evaluated", { round: 1, by: "clients", accuracy: 0.5 });
      const again = await member.ask(body({ case: "evaluation", value }));
      assert.equal(again.verdict, Verdict.STALE);
    });

    claim("a second route of a session takes part of an upload over", {}, async (federation) => {
      // On wires where a client id has one connection, the newer one takes the older one over.
      await using first = await federation.join("client-1");
      const task = await first.task(1);
      const update = weights([1, 2, 3, 4]);
      assert.equal((await first.part(task, update, { to: 40 })).nextOffset, 40n);
      await using second = await federation.dial("client-1");
      await second.hello({ session: first.session, attach: true });
      second.session = first.session;
      const rest = await second.ask(
        partOf(task, update, { from: 40, to: update.length }),
      );
      assert.equal(rest.verdict, Verdict.ACCEPTED, rest.detail);
      assert.deepEqual(valuesOf(await second.model(1)), [1, 2, 3, 4]);
    });
  }
}

/** The right shape under another name. */
function renamed(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  return encodeSafetensors(new Map([["v", { name: "v", dtype: "F32", shape: [4], bytes }]]));
}
