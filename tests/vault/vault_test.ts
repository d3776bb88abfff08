import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { type Opened, type PartOutcome, type Vault, VaultError } from "../../src/vault/vault.ts";
import { encodeSafetensors } from "../../src/weights/safetensors.ts";
import { floats, named } from "../weights/sample_tensors.ts";
import {
  assigned,
  CLIENTS,
  ENDING,
  finish,
  initial,
  model,
  openVault,
  partsOf,
  ROUNDS,
  send,
  train,
  updateOf,
} from "./federation_of_five.ts";

/** A vault in memory, in its first round. */
function training(): Vault {
  const vault = openVault(undefined);
  vault.open(initial());
  vault.begin(1, assigned(1));
  return vault;
}

function bytesOf(vault: Vault, round: number): Uint8Array {
  const [copy] = vault.copies(round, 1);
  assert.ok(copy);
  return new Uint8Array(copy);
}

function detailOf(outcome: PartOutcome): string {
  return "detail" in outcome ? outcome.detail : "";
}

Deno.test("a new run begins with the initial model", () => {
  using vault = openVault(undefined);
  const opened = vault.open(initial());
  assert.deepEqual(bytesOf(vault, 0), initial());
  assert.match(opened.runId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(
    { ...opened, runId: "" } satisfies Opened,
    {
      runId: "",
      closedRounds: 0,
      nextTaskId: 1,
      history: [],
      finished: undefined,
      ending: undefined,
      confirmed: [],
      sessions: [],
      counted: [],
      open: undefined,
      model: {
        bytes: initial().length,
        tensors: [
          { name: "weight", dtype: "F32", shape: [4] },
          { name: "bias", dtype: "F32", shape: [2] },
          { name: "steps", dtype: "I64", shape: [] },
        ],
      },
      swept: { files: 0, bytes: 0 },
      lost: [],
    },
  );
});

Deno.test("two runs have different ids", () => {
  using one = openVault(undefined);
  using two = openVault(undefined);
  assert.notEqual(one.open(initial()).runId, two.open(initial()).runId);
});

for (
  const [what, bytes] of [
    ["is no safetensors file", new Uint8Array(50)],
    ["is not finite", model([1, 2, NaN, 4], 0)],
  ] as const
) {
  Deno.test(`an initial model that ${what} is a VaultError`, () => {
    using vault = openVault(undefined);
    assert.throws(() => vault.open(bytes), VaultError);
  });
}

Deno.test("Vault.part() says how much is held, then that the update counts", () => {
  using vault = training();
  const parts = partsOf("ann", 1);
  const outcomes = parts.map((part) => vault.part(part));
  assert.deepEqual(outcomes.slice(0, -1), [{ kind: "held", nextOffset: 150 }]);
  assert.deepEqual(outcomes.at(-1), { kind: "accepted", nextOffset: updateOf("ann", 1).length });
});

Deno.test("a part after a gap is not taken, and what is missing is named", () => {
  using vault = training();
  const [first, second] = partsOf("ann", 1, { partBytes: 90 });
  assert.ok(first && second);
  assert.deepEqual(vault.part(second), { kind: "gap", nextOffset: 0 });
  vault.part(first);
  assert.deepEqual(vault.part({ ...second, offset: 91 }), { kind: "gap", nextOffset: 90 });
  assert.equal(vault.part(second).kind, "held");
});

Deno.test("repeated and overlapping parts add only what is new", () => {
  using vault = training();
  const bytes = updateOf("ann", 1);
  const part = (from: number, to: number) => {
    const [any] = partsOf("ann", 1);
    assert.ok(any);
    return vault.part({ ...any, offset: from, bytes: bytes.slice(from, to) });
  };
  assert.equal(part(0, 100).nextOffset, 100);
  assert.equal(part(0, 100).nextOffset, 100);
  assert.equal(part(40, 60).nextOffset, 100);
  assert.equal(part(50, 130).nextOffset, 130);
  assert.equal(part(0, bytes.length).kind, "accepted");
});

Deno.test("a part that contradicts what is held is refused, and the upload goes on", () => {
  using vault = training();
  const [first, second] = partsOf("ann", 1);
  assert.ok(first && second);
  vault.part(first);
  const forged = first.bytes.slice();
  forged[20] = 255;
  for (
    const [wrong, detail] of [
      [{ ...first, bytes: forged }, /offset 20/],
      [{ ...second, kind: "delta" }, /kind differs/],
      [{ ...second, samples: 6 }, /samples differs/],
      [{ ...second, totalBytes: 1 }, /total_bytes differs/],
    ] as const
  ) {
    const outcome = vault.part(wrong);
    assert.equal(outcome.kind, "conflict");
    assert.match(detailOf(outcome), detail);
    assert.equal(outcome.nextOffset, 150);
  }
  assert.equal(vault.part(second).kind, "accepted");
});

Deno.test("another upload id starts again at 0, also with another length", () => {
  using vault = training();
  send(vault, partsOf("ann", 1).slice(0, 1));
  const other = partsOf("ann", 1, { uploadId: "01", bytes: model([1, 2, 3, 4], 1) });
  assert.deepEqual(vault.part(other[1] ?? assert.fail()), { kind: "gap", nextOffset: 0 });
  assert.equal(send(vault, other).kind, "accepted");
});

Deno.test("what was counted is not counted again, whatever upload repeats it", () => {
  using vault = training();
  assert.equal(send(vault, partsOf("ann", 1)).kind, "accepted");
  assert.equal(send(vault, partsOf("ann", 1)).kind, "stale");
  assert.equal(send(vault, partsOf("ann", 1, { uploadId: "01" })).kind, "stale");
  const made = vault.close(1);
  assert.deepEqual(made.clients, ["ann"]);
  assert.equal(made.samples, 7);
});

Deno.test("a part for another round, task or client is stale", () => {
  using vault = training();
  const [part] = partsOf("ann", 1);
  assert.ok(part);
  assert.equal(vault.part({ ...part, round: 2 }).kind, "stale");
  assert.equal(vault.part({ ...part, taskId: 12 }).kind, "stale");
  assert.equal(vault.part({ ...part, client: "stranger" }).kind, "stale");
  vault.close(1);
  assert.equal(vault.part(part).kind, "stale");
});

const wrong: [string, Uint8Array<ArrayBuffer>, PartOutcome["kind"]][] = [
  ["no safetensors", new Uint8Array(200), "malformed"],
  ["cut short", initial().slice(0, 9), "malformed"],
  ["of another shape", model([1, 2, 3], 0), "wrong_shape"],
  ["of another model", encodeSafetensors(named(floats("weight", [1]))), "wrong_shape"],
  ["not finite", model([1, NaN, 3, 4], 0), "non_finite"],
  ["beyond its bound", model([1, 1e30, 3, 4], 0), "out_of_range"],
];

for (const [what, bytes, kind] of wrong) {
  Deno.test(`an update that is ${what} leaves no trace in the model`, () => {
    using vault = training();
    send(vault, partsOf("Bob", 1));
    const outcome = send(vault, partsOf("ann", 1, { bytes }));
    assert.equal(outcome.kind, kind);
    assert.notEqual(detailOf(outcome), "");
    assert.equal(outcome.nextOffset, 0);
    using without = training();
    send(without, partsOf("Bob", 1));
    assert.deepEqual(vault.close(1), without.close(1));
    assert.deepEqual(bytesOf(vault, 1), bytesOf(without, 1));
  });

  Deno.test(`after an update that is ${what}, a good one of the same client counts`, () => {
    using vault = training();
    send(vault, partsOf("ann", 1, { bytes }));
    assert.equal(send(vault, partsOf("ann", 1, { uploadId: "01" })).kind, "accepted");
  });
}

Deno.test("Vault.discard() forgets an unfinished upload, and nothing that counts", () => {
  using vault = training();
  const [first, second] = partsOf("ann", 1);
  assert.ok(first && second);
  vault.part(first);
  vault.discard("ann");
  assert.deepEqual(vault.part(second), { kind: "gap", nextOffset: 0 });
  assert.equal(send(vault, partsOf("Bob", 1)).kind, "accepted");
  vault.discard("Bob");
  assert.deepEqual(vault.close(1).clients, ["Bob"]);
});

Deno.test("an abandoned round counts for nothing, and can be begun again", () => {
  using vault = training();
  send(vault, partsOf("ann", 1));
  vault.abandon(2);
  vault.abandon(1);
  assert.throws(() => vault.close(1), RangeError);
  vault.begin(1, assigned(1));
  assert.equal(send(vault, partsOf("Bob", 1)).kind, "accepted");
  assert.deepEqual(vault.close(1).clients, ["Bob"]);
});

Deno.test("a round closes once, and is saved once", () => {
  using vault = training();
  send(vault, partsOf("ann", 1));
  assert.throws(() => vault.close(2), RangeError);
  vault.close(1);
  assert.throws(() => vault.close(1), RangeError);
  vault.save(1, 1);
  assert.throws(() => vault.save(1, 1), RangeError);
});

Deno.test("a round tells who counted, with the training metrics weighted by samples", () => {
  using vault = training();
  for (const client of ["eve", "carol", "ann"]) send(vault, partsOf(client, 1));
  const made = vault.close(1);
  assert.deepEqual(made.clients, ["ann", "carol", "eve"]);
  assert.equal(made.samples, 7 + 31 + 1);
  assert.equal(made.training.loss, 3 / 39); // three times samples / samples
});

Deno.test("the model before the newest is there until the next one is made", () => {
  using vault = training();
  vault.close(1);
  vault.save(1, 1);
  assert.deepEqual(bytesOf(vault, 0), initial());
  vault.begin(2, assigned(2));
  vault.close(2);
  assert.throws(() => vault.copies(0, 1), RangeError);
  assert.deepEqual(bytesOf(vault, 1), initial());
});

Deno.test("Vault.copies() gives buffers that can be given away", () => {
  using vault = training();
  const copies = vault.copies(0, 3);
  assert.equal(new Set(copies).size, 3);
  structuredClone(copies[0], { transfer: [copies[0] as ArrayBuffer] });
  assert.deepEqual(new Uint8Array(copies[1] as ArrayBuffer), initial());
  assert.deepEqual(bytesOf(vault, 0), initial());
  assert.deepEqual(vault.copies(0, 0), []);
});

Deno.test("the model's SHA-256 is that of its bytes", () => {
  using vault = openVault(undefined);
  finish(vault, train(vault, vault.open(initial())));
  const sha256 = createHash("sha256").update(bytesOf(vault, ROUNDS)).digest("hex");
  assert.equal(vault.sha256(ROUNDS), sha256);
  assert.deepEqual(vault.finish(ROUNDS, ENDING), { sha256, modelPath: undefined });
});

Deno.test("an update of no bytes is malformed", () => {
  using vault = training();
  const [part] = partsOf("ann", 1);
  assert.ok(part);
  assert.equal(vault.part({ ...part, totalBytes: 0, bytes: new Uint8Array() }).kind, "malformed");
});

/** The order in which clients' parts arrive, and how each client cuts its update: wires differ in both. */
const arrivals = fc.record({
  order: fc.infiniteStream(fc.nat({ max: CLIENTS.length - 1 })),
  partBytes: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 5, maxLength: 5 }),
  repeated: fc.infiniteStream(fc.boolean()),
});

Deno.test("other arrival orders, parts and repetitions give the same model, to the bit", () => {
  const model = (strategy: "fedavg" | "fedadam" | "median", { order, partBytes, repeated }: {
    order: Iterator<number>;
    partBytes: number[];
    repeated: Iterator<boolean>;
  }) => {
    using vault = openVault(undefined, { strategy });
    vault.open(initial());
    vault.begin(1, assigned(1));
    const queues = CLIENTS.map((client, index) =>
      partsOf(client, 1, { partBytes: partBytes[index] ?? 100 })
    );
    while (queues.some((queue) => queue.length > 0)) {
      const start = order.next().value;
      const turns = queues.map((_, index) => queues[(start + index) % queues.length]);
      const part = turns.find((queue) => queue !== undefined && queue.length > 0)?.shift();
      if (part === undefined) break;
      vault.part(part);
      if (repeated.next().value) vault.part(part);
    }
    const made = vault.close(1);
    assert.deepEqual(made.clients, [...CLIENTS].sort());
    return vault.save(1, 1).sha256;
  };
  for (const strategy of ["fedavg", "fedadam", "median"] as const) {
    const hashes = new Set<string>();
    fc.assert(
      fc.property(arrivals, (arrival) => {
        hashes.add(model(strategy, arrival));
        assert.equal(hashes.size, 1);
      }),
      { numRuns: 40 },
    );
  }
});
