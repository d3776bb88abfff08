/** Waits in one thread for everything this isolate wants to hear from Cyclone DDS. */

import { check, type Cyclone, CYCLONEDDS_HANDLE } from "./cyclone.ts";

/** Entities served per wake-up; the others are still triggered at the next. */
const SERVED_AT_ONCE = 64;
const POINTER_BYTES = 8;

/**
 * Events end the wait. This bound is for an isolate that was ended from outside: its thread is
 * given back after it, for nobody else can call it back.
 */
const LONGEST_WAIT_NS = 10_000_000_000n;

/** The waitset's name for its own bell. */
const BELL = 0;

/** Called when an entity's enabled status changed; true asks to be called again soon. Must not throw. */
export type Triggered = () => boolean;

const waiters = new Map<Cyclone, Waiter>();

/**
 * The waitset of an isolate. One for all its domains, as each wait occupies one of the few threads
 * that Deno lends to an isolate.
 */
export class Waiter {
  readonly #cyclone: Cyclone;
  readonly #waitset: number;
  readonly #bell: number;
  /** Where C writes what was triggered: not JavaScript's memory, which may end before the wait does. */
  readonly #served: Deno.PointerObject;
  readonly #watched = new Map<number, { entity: number; triggered: Triggered }>();
  readonly #again = new Set<number>();
  readonly #over: Promise<void>;
  #nextId = BELL + 1;

  private constructor(cyclone: Cyclone) {
    this.#cyclone = cyclone;
    this.#waitset = check(
      cyclone,
      "create a waitset",
      cyclone.dds_create_waitset(CYCLONEDDS_HANDLE),
    );
    this.#bell = check(
      cyclone,
      "create a bell",
      cyclone.dds_create_guardcondition(CYCLONEDDS_HANDLE),
    );
    const attached = cyclone.dds_waitset_attach(this.#waitset, this.#bell, BigInt(BELL));
    check(cyclone, "attach the bell", attached);
    const served = cyclone.dds_alloc(BigInt(SERVED_AT_ONCE * POINTER_BYTES));
    if (served === null) throw new Error("Cannot wait for DDS: out of memory");
    this.#served = served;
    this.#over = this.#wait();
  }

  /**
   * Calls `triggered` whenever the entity's enabled statuses change, until `unwatch`.
   * The first to watch opens the isolate's waitset.
   */
  static watch(cyclone: Cyclone, entity: number, triggered: Triggered): Watch {
    let waiter = waiters.get(cyclone);
    if (waiter === undefined) waiters.set(cyclone, waiter = new Waiter(cyclone));
    return waiter.#add(entity, triggered);
  }

  #add(entity: number, triggered: Triggered): Watch {
    const id = this.#nextId++;
    const attached = this.#cyclone.dds_waitset_attach(this.#waitset, entity, BigInt(id));
    check(this.#cyclone, "attach an entity", attached);
    this.#watched.set(id, { entity, triggered });
    return {
      again: () => this.#callAgain(id),
      [Symbol.asyncDispose]: () => this.#remove(id),
    };
  }

  #callAgain(id: number): void {
    this.#again.add(id);
    this.#ring();
  }

  #ring(): void {
    this.#cyclone.dds_set_guardcondition(this.#bell, true);
  }

  async #remove(id: number): Promise<void> {
    const watch = this.#watched.get(id);
    if (watch === undefined) return;
    this.#watched.delete(id);
    this.#cyclone.dds_waitset_detach(this.#waitset, watch.entity); // fails if it is deleted: good too
    if (this.#watched.size > 0) return;
    waiters.delete(this.#cyclone);
    this.#ring();
    await this.#over;
  }

  async #wait(): Promise<void> {
    const served = new Deno.UnsafePointerView(this.#served);
    const rung = new Uint8Array(1);
    do {
      const count = await this.#cyclone.dds_waitset_wait(
        this.#waitset,
        this.#served,
        BigInt(SERVED_AT_ONCE),
        LONGEST_WAIT_NS,
      );
      check(this.#cyclone, "wait for DDS", count);
      const ids = new Set(this.#again);
      this.#again.clear();
      this.#cyclone.dds_take_guardcondition(this.#bell, rung);
      for (let index = 0; index < Math.min(count, SERVED_AT_ONCE); index++) {
        ids.add(Number(served.getBigInt64(index * POINTER_BYTES)));
      }
      for (const id of ids) {
        if (this.#watched.get(id)?.triggered()) this.#callAgain(id);
      }
    } while (this.#watched.size > 0);
    await this.#cyclone.dds_delete(this.#waitset);
    await this.#cyclone.dds_delete(this.#bell);
    this.#cyclone.dds_free(this.#served);
  }
}

export interface Watch extends AsyncDisposable {
  /** Asks for a call as if the entity had been triggered. */
  again(): void;
}
