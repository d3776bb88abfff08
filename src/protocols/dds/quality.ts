/** Quality of service of the house's endpoints, in Cyclone's terms. */

import { addressOf, cString, type Cyclone } from "./cyclone.ts";

const RELIABLE = 1;
const KEEP_ALL = 1;
const UNLIMITED = -1;

/** DDS 1.4 §2.2.3: policies of which a reader may ask for more than a writer offers, by their ids. */
const POLICIES: Readonly<Record<number, string>> = {
  2: "durability",
  3: "presentation",
  4: "deadline",
  5: "latency budget",
  6: "ownership",
  8: "liveliness",
  11: "reliability",
  12: "destination order",
  23: "data representation",
};

/** dds_offered_incompatible_qos_status_t: a total, its change, and the last policy's id. */
const STATUS_WORDS = 3;

/** The policy for which a writer of ours has not matched a reader, if there is one. */
export function refusedPolicy(cyclone: Cyclone, writer: number): string | undefined {
  const status = new Uint32Array(STATUS_WORDS);
  if (cyclone.dds_get_offered_incompatible_qos_status(writer, status) < 0) return undefined;
  const [total = 0, , policy = 0] = status;
  return total === 0 ? undefined : POLICIES[policy] ?? `policy ${policy}`;
}

export interface Quality {
  /** Of a publisher or subscriber. */
  readonly partition?: string;
  /** Of a reader: unread samples beyond it stay with their writers. */
  readonly maxSamples?: number;
  /** Of a writer: who it writes for. */
  readonly userData?: Uint8Array<ArrayBuffer>;
}

/**
 * Calls `create` with a dds_qos_t: reliable, keep-all, volatile, and what `quality` adds.
 * A write never blocks: when the unacknowledged samples are too many it fails at once.
 */
export function withQos<T>(
  cyclone: Cyclone,
  quality: Quality,
  create: (qos: Deno.PointerValue) => T,
): T {
  const qos = cyclone.dds_create_qos();
  try {
    cyclone.dds_qset_reliability(qos, RELIABLE, 0n);
    cyclone.dds_qset_history(qos, KEEP_ALL, UNLIMITED);
    cyclone.dds_qset_writer_data_lifecycle(qos, false); // a writer that goes disposes of nothing
    const { partition, maxSamples, userData } = quality;
    if (partition !== undefined) {
      const name = cString(partition);
      cyclone.dds_qset_partition(qos, 1, BigUint64Array.of(addressOf(name)));
    }
    if (maxSamples !== undefined) {
      cyclone.dds_qset_resource_limits(qos, maxSamples, UNLIMITED, UNLIMITED);
    }
    if (userData !== undefined) {
      cyclone.dds_qset_userdata(qos, userData, BigInt(userData.length));
    }
    return create(qos);
  } finally {
    cyclone.dds_delete_qos(qos);
  }
}
