/** Which writers a reader hears, and what they said of themselves in discovery. */

import { check, type Cyclone, pointerAt } from "./cyclone.ts";

export interface Publication {
  /** GUID of the writer. */
  readonly guid: Uint8Array<ArrayBuffer>;
  readonly partitions: readonly string[];
  readonly userData: Uint8Array<ArrayBuffer>;
}

/** dds_builtintopic_endpoint_t */
const GUID_BYTES = 16;
const QOS_OFFSET = 56;
const POINTER_BYTES = 8;

/** Handles of the writers that a reader is matched with now. */
export function matchedPublications(cyclone: Cyclone, reader: number): Set<bigint> {
  for (let room = 64;; room *= 2) {
    const handles = new BigUint64Array(room);
    const count = cyclone.dds_get_matched_publications(reader, handles, BigInt(room));
    check(cyclone, "list matched writers", count);
    if (count <= room) return new Set(handles.subarray(0, count));
  }
}

/** Undefined where the writer is not matched any more. */
export function describePublication(
  cyclone: Cyclone,
  reader: number,
  handle: bigint,
): Publication | undefined {
  const endpoint = cyclone.dds_get_matched_publication_data(reader, handle);
  if (endpoint === null) return undefined;
  try {
    const view = new Deno.UnsafePointerView(endpoint);
    const qos = view.getPointer(QOS_OFFSET);
    return {
      guid: new Uint8Array(view.getArrayBuffer(GUID_BYTES)).slice(),
      partitions: partitionsOf(cyclone, qos),
      userData: userDataOf(cyclone, qos),
    };
  } finally {
    cyclone.dds_builtintopic_free_endpoint(endpoint);
  }
}

/** GUID of a writer of our own. */
export function guidOf(cyclone: Cyclone, writer: number): Uint8Array<ArrayBuffer> {
  const guid = new Uint8Array(new ArrayBuffer(GUID_BYTES));
  check(cyclone, "read a writer's GUID", cyclone.dds_get_guid(writer, guid));
  return guid;
}

function partitionsOf(cyclone: Cyclone, qos: Deno.PointerValue): string[] {
  const count = new Uint32Array(1);
  const names = new BigUint64Array(1);
  if (!cyclone.dds_qget_partition(qos, count, names)) return [];
  const array = pointerAt(names[0] ?? 0n);
  if (array === null) return [];
  const view = new Deno.UnsafePointerView(array);
  const partitions = Array.from({ length: count[0] ?? 0 }, (_, index) => {
    const name = view.getPointer(index * POINTER_BYTES);
    const partition = name === null ? "" : Deno.UnsafePointerView.getCString(name);
    cyclone.dds_free(name);
    return partition;
  });
  cyclone.dds_free(array);
  return partitions;
}

function userDataOf(cyclone: Cyclone, qos: Deno.PointerValue): Uint8Array<ArrayBuffer> {
  const value = new BigUint64Array(1);
  const length = new BigUint64Array(1);
  if (!cyclone.dds_qget_userdata(qos, value, length)) return new Uint8Array(0);
  const pointer = pointerAt(value[0] ?? 0n);
  if (pointer === null) return new Uint8Array(0);
  const bytes = new Uint8Array(Number(length[0]));
  Deno.UnsafePointerView.copyInto(pointer, bytes);
  cyclone.dds_free(pointer);
  return bytes;
}
