/**
 * Who owns a server's domain in this process. A Worker that died leaves its domain alive, threads,
 * sockets and all: whoever comes next must tell it from one that is in use, and take it away.
 */

import { check, type Cyclone, CYCLONEDDS_HANDLE } from "./cyclone.ts";
import { Waiter, type Watch } from "./waiter.ts";

/** The process's number for the domain of the server on a port. */
export function domainOf(port: number): number {
  return 0x0001_0000 + port;
}

/** An owner's event loop answers within this, however busy. */
const ANSWER_TIMEOUT_NS = 2_000_000_000n;
const CHILDREN = 1024;

/** Ends the domain that a dead owner left behind. False where it has a living owner. */
export async function evict(cyclone: Cyclone, port: number): Promise<boolean> {
  const participants = new Int32Array(1);
  if (cyclone.dds_lookup_participant(domainOf(port), participants, 1n) <= 0) return true;
  const [participant = 0] = participants;
  const answer = cyclone.dds_create_guardcondition(participant);
  if (answer < 0) return true; // ended at this moment
  if (await answered(cyclone, participant, answer)) {
    await cyclone.dds_delete(answer);
    return false;
  }
  await cyclone.dds_delete(check(cyclone, "find a domain", cyclone.dds_get_parent(participant)));
  return true;
}

/** Rings every bell in the domain but the own one, which a living owner rings in answer. */
async function answered(cyclone: Cyclone, participant: number, answer: number): Promise<boolean> {
  const waitset = check(
    cyclone,
    "create a waitset",
    cyclone.dds_create_waitset(CYCLONEDDS_HANDLE),
  );
  check(cyclone, "attach the answer", cyclone.dds_waitset_attach(waitset, answer, 0n));
  ring(cyclone, participant, answer);
  const triggered = await cyclone.dds_waitset_wait(waitset, null, 0n, ANSWER_TIMEOUT_NS);
  await cyclone.dds_delete(waitset);
  return triggered > 0;
}

function ring(cyclone: Cyclone, participant: number, own: number): void {
  const children = new Int32Array(CHILDREN);
  const count = cyclone.dds_get_children(participant, children, BigInt(CHILDREN));
  for (const child of children.subarray(0, Math.min(count, CHILDREN))) {
    // Fails on all that is no guard condition.
    if (child !== own) cyclone.dds_set_guardcondition(child, true);
  }
}

/** Answers for the owner of a domain, until disposed of. */
export function answerClaims(cyclone: Cyclone, participant: number): Watch {
  const bell = cyclone.dds_create_guardcondition(participant);
  check(cyclone, "create a bell", bell);
  const rung = new Uint8Array(1);
  return Waiter.watch(cyclone, bell, () => {
    cyclone.dds_take_guardcondition(bell, rung);
    ring(cyclone, participant, bell);
    return false;
  });
}
