/** Who speaks for whom, and what an eavesdropper who may write as well can do about it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { clientMessage, encodeServerMessage, serverMessage } from "../../src/contract/codec.ts";
import { type ClientMessage, Verdict } from "../../src/contract/federation_pb.ts";
import { Gatekeeper, type Passage, type Place } from "../../src/contract/gatekeeper.ts";
import { copyOf, sealedIn, Speaker } from "../support/speaker.ts";
import { FOREIGN, NOW_MS, OTHER, RULE, tokenFor } from "../support/tokens.ts";

const HERE = "here";

/** A gatekeeper whose time is moved by hand. */
class Gate implements Disposable {
  nowMs = NOW_MS;
  readonly expired: Place[] = [];
  readonly revoked: Place[] = [];
  readonly timers = new Set<() => void>();
  readonly keeper: Gatekeeper;

  constructor({ sealedOnly = true } = {}) {
    this.keeper = new Gatekeeper({
      rule: { ...RULE },
      sealedOnly,
      voided: (place, cause) => {
        if (cause === "expired") this.expired.push(place);
        else this.revoked.push(place);
      },
      time: {
        nowMs: () => this.nowMs,
        after: (_delayMs, act) => {
          this.timers.add(act);
          return () => void this.timers.delete(act);
        },
      },
    });
  }

  hear(message: ClientMessage, place: Place = HERE): Passage {
    return this.keeper.hear(place, { kind: "message", route: { wire: "test", id: 1 }, message });
  }

  /** A client that knocked, was challenged, and said Hello. */
  meet(speaker: Speaker, place: Place = HERE): void {
    this.knock(speaker, place);
    passed(this.hear(speaker.hello(), place));
  }

  knock(speaker: Speaker, place: Place = HERE): void {
    const passage = this.hear(speaker.knock(), place);
    assert.ok(passage.kind === "challenged", passage.kind);
    speaker.meet(passage.challenge);
  }

  ring(): void {
    for (const act of [...this.timers]) {
      this.timers.delete(act);
      act();
    }
  }

  [Symbol.dispose](): void {
    this.keeper[Symbol.dispose]();
    assert.equal(this.timers.size, 0);
  }
}

function passed(passage: Passage): ClientMessage {
  assert.ok(passage.kind === "passes", JSON.stringify(passage, (_, value) => String(value)));
  assert.ok(passage.arrival.kind === "message");
  return passage.arrival.message;
}

function refusedAs(passage: Passage): string {
  assert.equal(passage.kind, "refused");
  return passage.kind === "refused" ? passage.detail : "";
}

function hello(clientId: string, token: string): ClientMessage {
  const value = { contractVersion: 1, nonce: new Uint8Array(16), samples: 1, token };
  return clientMessage({ clientId, sequence: 1, body: { case: "hello", value } });
}

Deno.test("Gatekeeper lets a sealed connection's messages pass, opened", () => {
  using gate = new Gate();
  const speaker = new Speaker("a");
  gate.meet(speaker);
  const message = passed(gate.hear(speaker.heartbeat(7)));
  assert.deepEqual([message.clientId, message.sequence, message.body.case], ["a", 7, "heartbeat"]);
});

Deno.test("Gatekeeper seals what goes back, and the client takes it once", () => {
  using gate = new Gate();
  const speaker = new Speaker("a");
  gate.meet(speaker);
  const value = { round: 3 };
  const message = serverMessage({ runId: "run", body: { case: "finish", value } });
  gate.keeper.cover(HERE, message);
  const bytes = encodeServerMessage(message);
  assert.equal(speaker.hear(bytes)?.body.case, "finish");
  assert.equal(speaker.hear(bytes), undefined);
  assert.equal(new Speaker("a").hear(bytes), undefined, "another connection's");
});

Deno.test("Gatekeeper passes nothing of a message in which any bit differs", () => {
  using gate = new Gate();
  const speaker = new Speaker("a");
  gate.meet(speaker);
  const message = speaker.heartbeat(1);
  const names = ["body", "tag", "challenge", "nonce"] as const;
  fc.assert(fc.property(fc.constantFrom(...names), fc.nat(), (name, at) => {
    const changed = copyOf(message);
    const array = sealedIn(changed)[name];
    const bit = at % (8 * array.length);
    array[bit >> 3] = (array[bit >> 3] ?? 0) ^ 1 << (bit & 7);
    assert.notEqual(gate.hear(changed).kind, "passes");
  }));
  assert.equal(passed(gate.hear(message)).sequence, 1, "the true one still does");
});

Deno.test("Gatekeeper passes no message twice", () => {
  using gate = new Gate();
  const speaker = new Speaker("a");
  gate.knock(speaker);
  const said = [speaker.hello(), speaker.heartbeat(2), speaker.heartbeat(3)];
  for (const message of said) passed(gate.hear(copyOf(message)));
  for (const message of said) assert.equal(gate.hear(copyOf(message)).kind, "dropped");
});

Deno.test("Gatekeeper opens nothing for who repeats a whole connection, here or elsewhere, then or later", () => {
  using gate = new Gate();
  const speaker = new Speaker("a");
  const said = [speaker.knock()];
  gate.knock(speaker);
  said.push(speaker.hello(), speaker.heartbeat(2), speaker.will());
  for (const message of said.slice(1)) passed(gate.hear(copyOf(message)));
  const again = (place: Place) => said.map((message) => gate.hear(copyOf(message), place).kind);
  assert.ok(!again(HERE).slice(0, 3).includes("passes"), "while it stands");
  assert.ok(!again("elsewhere").includes("passes"), "in another place");
  gate.keeper.forget(HERE);
  assert.ok(!again(HERE).includes("passes"), "when it is over");
  using restarted = new Gate();
  for (const message of said) assert.notEqual(restarted.hear(copyOf(message)).kind, "passes");
});

Deno.test("Gatekeeper lets a recorded Hello replace no newer connection", () => {
  using gate = new Gate();
  const [older, newer] = [new Speaker("a"), new Speaker("a")];
  gate.knock(older);
  const recorded = older.hello();
  passed(gate.hear(copyOf(recorded)));
  gate.meet(newer);
  assert.notEqual(gate.hear(recorded).kind, "passes");
  passed(gate.hear(newer.heartbeat(2)));
});

Deno.test("Gatekeeper challenges who knocks while another connection stands, which is not disturbed", () => {
  using gate = new Gate();
  const [standing, coming] = [new Speaker("a"), new Speaker("a")];
  gate.meet(standing);
  gate.knock(coming);
  passed(gate.hear(standing.heartbeat(2)));
  const first = gate.hear(coming.hello());
  assert.ok(first.kind === "passes" && first.isFirst);
  assert.equal(gate.hear(standing.heartbeat(3)).kind, "challenged", "it is to connect again");
});

Deno.test("Gatekeeper keeps a challenge whatever is repeated meanwhile", () => {
  using gate = new Gate();
  const earlier = new Speaker("a");
  const recorded = earlier.knock();
  gate.meet(earlier);
  gate.keeper.forget(HERE);
  const speaker = new Speaker("a");
  gate.knock(speaker);
  gate.hear(copyOf(recorded));
  gate.hear(copyOf(recorded), "elsewhere");
  passed(gate.hear(speaker.hello()));
});

Deno.test("Gatekeeper takes a last will of the connection that stands, and of no other", () => {
  using gate = new Gate();
  const [older, newer] = [new Speaker("a"), new Speaker("a")];
  gate.meet(older);
  const will = passed(gate.hear(older.will()));
  assert.ok(will.body.case === "leave");
  gate.meet(newer);
  assert.equal(gate.hear(older.will()).kind, "dropped");
  passed(gate.hear(newer.heartbeat(2)));
});

Deno.test("Gatekeeper refuses sealed and open messages of another client, federation or server", () => {
  using sealed = new Gate();
  using open = new Gate({ sealedOnly: false });
  const tokens = {
    key: tokenFor("a", { rule: FOREIGN }),
    other: tokenFor("a", { rule: OTHER }),
    "the client b": tokenFor("b"),
  };
  for (const [reason, token] of Object.entries(tokens)) {
    assert.match(refusedAs(sealed.hear(new Speaker("a", { token }).knock())), new RegExp(reason));
    assert.match(refusedAs(open.hear(hello("a", token))), new RegExp(reason));
  }
  assert.match(refusedAs(open.hear(hello("a", ""))), /asks for a token/);
  assert.match(refusedAs(open.hear(hello("a", "nonsense"))), /copy all/);
});

Deno.test("Gatekeeper takes no open message where others can read it, and says so", () => {
  using gate = new Gate();
  assert.match(refusedAs(gate.hear(hello("a", tokenFor("a")))), /sealed/);
  assert.match(refusedAs(gate.hear(hello("a", ""))), /asks for a token/);
  const speaker = new Speaker("a");
  gate.meet(speaker);
  const forged = clientMessage({
    clientId: "a",
    sequence: 9,
    body: { case: "heartbeat", value: {} },
  });
  const passage = gate.hear(forged);
  assert.ok(passage.kind === "refused" && passage.answer !== undefined);
  // Said to whoever asked, and not under the true client's seal.
  assert.equal(speaker.hear(encodeServerMessage(passage.answer)), undefined);
  passed(gate.hear(speaker.heartbeat(2)));
});

Deno.test("Gatekeeper lets a route speak for the client of its Hello alone", () => {
  using gate = new Gate({ sealedOnly: false });
  const beat = (clientId: string) =>
    clientMessage({ clientId, sequence: 2, body: { case: "heartbeat", value: {} } });
  assert.match(refusedAs(gate.hear(beat("a"))), /say Hello/);
  const greeting = passed(gate.hear(hello("a", tokenFor("a", { nowMs: NOW_MS }))));
  assert.ok(greeting.body.case === "hello");
  assert.equal(greeting.body.value.token, "", "nobody further on needs it");
  passed(gate.hear(beat("a")));
  assert.match(refusedAs(gate.hear(beat("b"))), /say Hello/);
  const passage = gate.hear(beat("a"), "another route");
  assert.ok(passage.kind === "refused");
  assert.equal(passage.answer?.body.value.verdict, Verdict.UNAUTHORISED);
});

for (const sealedOnly of [true, false]) {
  const form = sealedOnly ? "sealed" : "open";
  Deno.test(`Gatekeeper says when a token expires, and passes nothing more (${form})`, () => {
    using gate = new Gate({ sealedOnly });
    const token = tokenFor("a", { nowMs: NOW_MS, lifetimeMs: 60_000 });
    const speaker = new Speaker("a", { token });
    const beat = clientMessage({
      clientId: "a",
      sequence: 2,
      body: { case: "heartbeat", value: {} },
    });
    if (sealedOnly) gate.meet(speaker);
    else passed(gate.hear(hello("a", token)));
    gate.nowMs += 59_999;
    gate.ring(); // a timer may be early
    assert.deepEqual(gate.expired, []);
    passed(gate.hear(sealedOnly ? speaker.heartbeat(2) : beat));
    gate.nowMs += 1;
    gate.ring();
    assert.deepEqual(gate.expired, [HERE]);
    const passage = gate.hear(sealedOnly ? speaker.heartbeat(3) : beat);
    assert.match(refusedAs(passage), /expired/);
    assert.ok(passage.kind === "refused" && passage.answer !== undefined);
    const answer = encodeServerMessage(passage.answer);
    if (sealedOnly) {
      assert.equal(speaker.hear(answer)?.body.case, "receipt", "its own server says so");
    }
  });
}

for (const sealedOnly of [true, false]) {
  const form = sealedOnly ? "sealed" : "open";
  Deno.test(`Gatekeeper says whose token is revoked, and passes nothing more of it (${form})`, () => {
    using gate = new Gate({ sealedOnly });
    const token = tokenFor("a", { nowMs: NOW_MS });
    const speaker = new Speaker("a", { token });
    const other = new Speaker("b", { token: tokenFor("b", { nowMs: NOW_MS }) });
    const beat = (clientId: string) =>
      clientMessage({ clientId, sequence: 2, body: { case: "heartbeat", value: {} } });
    if (sealedOnly) {
      gate.meet(speaker);
      gate.meet(other, "there");
    } else {
      passed(gate.hear(hello("a", token)));
      passed(gate.hear(hello("b", tokenFor("b", { nowMs: NOW_MS })), "there"));
    }
    gate.keeper.revoke(new Map([["a", NOW_MS / 1000]]));
    assert.deepEqual([gate.revoked, gate.expired], [[HERE], []]);
    const passage = gate.hear(sealedOnly ? speaker.heartbeat(2) : beat("a"));
    assert.match(refusedAs(passage), /revoked/);
    passed(gate.hear(sealedOnly ? other.heartbeat(2) : beat("b"), "there"));
    const again = sealedOnly ? new Speaker("a", { token }).knock() : hello("a", token);
    assert.match(refusedAs(gate.hear(again, "elsewhere")), /revoked; ask the operator/);
    const later = tokenFor("a", { nowMs: NOW_MS + 1000 });
    if (sealedOnly) gate.meet(new Speaker("a", { token: later }), "elsewhere");
    else passed(gate.hear(hello("a", later), "elsewhere"));
  });
}

Deno.test("Gatekeeper tells a client whose token has expired before so, under its seal", () => {
  using gate = new Gate();
  const token = tokenFor("a", { nowMs: NOW_MS - 120_000, lifetimeMs: 60_000 });
  const speaker = new Speaker("a", { token });
  gate.knock(speaker);
  const passage = gate.hear(speaker.hello());
  assert.match(refusedAs(passage), /expired/);
  assert.ok(passage.kind === "refused" && passage.answer !== undefined);
  assert.equal(speaker.hear(encodeServerMessage(passage.answer))?.body.case, "receipt");
});
