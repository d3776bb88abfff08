import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Random } from "../src/client/random.ts";
import { Verdict } from "../src/contract/federation_pb.ts";
import { dialUrl, PROTOCOLS } from "../src/protocols/mod.ts";
import { Server, type ServerLine } from "./chaos/server.ts";
import { library } from "./protocols/dds/library.ts";
import { Awaitable } from "./support/awaitable.ts";
import { weights } from "./support/federation.ts";
import { Member, valuesOf } from "./support/member.ts";
import { StateDirectory } from "./vault/state_directory.ts";

const VALUES = 1000;
const SAMPLES = [100, 37, 250, 8, 61];
const random = Random.seeded(17);

/** Of each client: values with all of a float's bits, some far smaller than others. */
const updates = SAMPLES.map(() =>
  Array.from({ length: VALUES }, () => {
    const sign = random.next() % 2 === 0 ? 1 : -1;
    return Math.fround(sign * (random.next() / 2 ** 32) * 10 ** -(random.next() % 8));
  })
);

interface Story {
  /** By client: the wire it comes by. */
  readonly wires: readonly string[];
  /** Clients in the order in which their updates are accepted. */
  readonly order: readonly number[];
  /** The server is killed when so many are in. */
  readonly killedAfter?: number;
}

/** The model that one round of this story makes. */
async function modelOf({ wires, order, killedAfter }: Story): Promise<Uint8Array> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(new StateDirectory());
  const model = join(directory.path, "start.safetensors");
  Deno.writeFileSync(model, weights(new Array(VALUES).fill(0)));
  const state = join(directory.path, "state");
  const log = new Awaitable<ServerLine>();
  const flags = {
    ...Object.fromEntries(PROTOCOLS.map((wire) => [`${wire}-port`, "0"])),
    ...{ rounds: "1", "min-clients": String(SAMPLES.length), web: false },
    ...{ model, state, "dds-library": library },
  };
  const server = stack.use(new Server({ flags, seed: 1, turbulent: false }, log));
  let { urls } = await server.start();
  const meet = async (client: number) => {
    const url = urls.find((each) => each.startsWith(`${wires[client]}:`)) ?? "";
    const member = stack.use(await Member.connect(dialUrl, url, `client-${client}`));
    await member.hello({ samples: SAMPLES[client] ?? 0 });
    return member;
  };
  let members = await Promise.all(SAMPLES.map((_, client) => meet(client)));
  for (const [turn, client] of order.entries()) {
    if (turn === killedAfter) {
      await server.kill();
      ({ urls } = await server.start());
      members = await Promise.all(SAMPLES.map((_, each) => meet(each)));
    }
    const member = members[client];
    assert.ok(member);
    const { verdict, detail } = await member.update(
      await member.task(1),
      weights(updates[client] ?? []),
      { samples: SAMPLES[client] ?? 0, partBytes: 1024 },
    );
    assert.equal(verdict, Verdict.ACCEPTED, detail);
  }
  await log.find(({ message, round }) => message === "model saved" && round === 1);
  return Deno.readFileSync(join(state, "models", "round-000001.safetensors"));
}

Deno.test("the same updates make one model, in any order, over any wires, with a kill -9 in between", async () => {
  const wires = [...PROTOCOLS];
  const models = [
    await modelOf({ wires, order: [0, 1, 2, 3, 4] }),
    await modelOf({ wires: [...wires].reverse(), order: [3, 1, 4, 0, 2] }),
    await modelOf({
      wires: [...wires.slice(2), ...wires.slice(0, 2)],
      order: [4, 2, 0, 3, 1],
      killedAfter: 3,
    }),
  ];
  const digests = models.map((model) => createHash("sha256").update(model).digest("hex"));
  assert.deepEqual(new Set(digests).size, 1, digests.join(", "));
  const total = SAMPLES.reduce((sum, samples) => sum + samples);
  for (const [index, value] of valuesOf(models[0] ?? new Uint8Array()).entries()) {
    const sum = updates.reduce(
      (sum, values, client) => sum + (values[index] ?? 0) * (SAMPLES[client] ?? 0),
      0,
    );
    assert.ok(Math.abs(value - sum / total) <= 2 ** -24 * Math.max(1, Math.abs(value)), `${index}`);
  }
});
