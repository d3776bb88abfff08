/** Cyclone DDS's C interface (0.10 and 11) as Deno calls it: no C of our own between. */

import { LibraryError } from "./library.ts";

const ENTITY = "i32";
/** A count or a negative return code. */
const RESULT = "i32";

const symbols = {
  dds_create_domain: { parameters: ["u32", "buffer"], result: ENTITY },
  dds_create_participant: { parameters: ["u32", "pointer", "pointer"], result: ENTITY },
  dds_lookup_participant: { parameters: ["u32", "buffer", "usize"], result: RESULT },
  dds_get_parent: { parameters: [ENTITY], result: ENTITY },
  dds_get_children: { parameters: [ENTITY, "buffer", "usize"], result: RESULT },
  // Participant, *descriptor*, name: any other order crashes.
  dds_create_topic: {
    parameters: [ENTITY, "pointer", "buffer", "pointer", "pointer"],
    result: ENTITY,
  },
  dds_create_publisher: { parameters: [ENTITY, "pointer", "pointer"], result: ENTITY },
  dds_create_subscriber: { parameters: [ENTITY, "pointer", "pointer"], result: ENTITY },
  dds_create_reader: { parameters: [ENTITY, ENTITY, "pointer", "pointer"], result: ENTITY },
  dds_create_writer: { parameters: [ENTITY, ENTITY, "pointer", "pointer"], result: ENTITY },
  dds_delete: { parameters: [ENTITY], result: RESULT, nonblocking: true },
  dds_get_guid: { parameters: [ENTITY, "buffer"], result: RESULT },

  dds_create_waitset: { parameters: [ENTITY], result: ENTITY },
  dds_create_readcondition: { parameters: [ENTITY, "u32"], result: ENTITY },
  dds_create_guardcondition: { parameters: [ENTITY], result: ENTITY },
  dds_set_guardcondition: { parameters: [ENTITY, "bool"], result: RESULT },
  dds_take_guardcondition: { parameters: [ENTITY, "buffer"], result: RESULT },
  dds_waitset_attach: { parameters: [ENTITY, ENTITY, "isize"], result: RESULT },
  dds_waitset_detach: { parameters: [ENTITY, ENTITY], result: RESULT },
  dds_waitset_wait: {
    parameters: [ENTITY, "pointer", "usize", "i64"],
    result: RESULT,
    nonblocking: true,
  },
  dds_set_status_mask: { parameters: [ENTITY, "u32"], result: RESULT },
  dds_take_status: { parameters: [ENTITY, "buffer", "u32"], result: RESULT },
  dds_get_offered_incompatible_qos_status: { parameters: [ENTITY, "buffer"], result: RESULT },

  dds_get_matched_publications: { parameters: [ENTITY, "buffer", "usize"], result: RESULT },
  dds_get_matched_subscriptions: { parameters: [ENTITY, "buffer", "usize"], result: RESULT },
  dds_get_matched_publication_data: { parameters: [ENTITY, "u64"], result: "pointer" },
  dds_builtintopic_free_endpoint: { parameters: ["pointer"], result: "void" },

  dds_take: { parameters: [ENTITY, "buffer", "buffer", "usize", "u32"], result: RESULT },
  dds_take_instance: {
    parameters: [ENTITY, "buffer", "buffer", "usize", "u32", "u64"],
    result: RESULT,
  },
  dds_lookup_instance: { parameters: [ENTITY, "buffer"], result: "u64" },
  dds_return_loan: { parameters: [ENTITY, "buffer", "i32"], result: RESULT },
  dds_write: { parameters: [ENTITY, "buffer"], result: RESULT },
  dds_wait_for_acks: { parameters: [ENTITY, "i64"], result: RESULT, nonblocking: true },

  dds_create_qos: { parameters: [], result: "pointer" },
  dds_delete_qos: { parameters: ["pointer"], result: "void" },
  dds_qset_reliability: { parameters: ["pointer", "i32", "i64"], result: "void" },
  dds_qset_history: { parameters: ["pointer", "i32", "i32"], result: "void" },
  dds_qset_resource_limits: { parameters: ["pointer", "i32", "i32", "i32"], result: "void" },
  dds_qset_writer_data_lifecycle: { parameters: ["pointer", "bool"], result: "void" },
  dds_qset_liveliness: { parameters: ["pointer", "i32", "i64"], result: "void" },
  dds_qset_partition: { parameters: ["pointer", "u32", "buffer"], result: "void" },
  dds_qset_userdata: { parameters: ["pointer", "buffer", "usize"], result: "void" },
  dds_qget_partition: { parameters: ["pointer", "buffer", "buffer"], result: "bool" },
  dds_qget_userdata: { parameters: ["pointer", "buffer", "buffer"], result: "bool" },

  // Never called: Cyclone 11 has it, 0.10 has not.
  dds_dynamic_type_create: { parameters: [], result: "void", optional: true },
  dds_alloc: { parameters: ["usize"], result: "pointer" },
  dds_free: { parameters: ["pointer"], result: "void" },
  dds_strretcode: { parameters: ["i32"], result: "pointer" },

  // The C library's own, which libddsc brings along everywhere but on Windows.
  libc_dlopen: {
    name: "dlopen",
    parameters: ["buffer", "i32"],
    result: "pointer",
    optional: true,
  },
  libc_socket: {
    name: "socket",
    parameters: ["i32", "i32", "i32"],
    result: "i32",
    optional: true,
  },
  libc_bind: {
    name: "bind",
    parameters: ["i32", "buffer", "u32"],
    result: "i32",
    optional: true,
  },
  libc_getsockname: {
    name: "getsockname",
    parameters: ["i32", "buffer", "buffer"],
    result: "i32",
    optional: true,
  },
  libc_close: { name: "close", parameters: ["i32"], result: "i32", optional: true },
  libc_fcntl: {
    name: "fcntl",
    parameters: ["i32", "i32", "i32"],
    result: "i32",
    optional: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

export type Cyclone = Deno.StaticForeignLibraryInterface<typeof symbols>;

/** Parent of everything in the process: DDS_CYCLONEDDS_HANDLE. */
export const CYCLONEDDS_HANDLE = 0x7fff0100;

/** Return codes the house tells apart (dds/ddsrt/retcode.h). */
export const PRECONDITION_NOT_MET = -4;
export const TIMEOUT = -10;

/** Statuses an entity can be watched for (dds_public_status.h). */
export const OFFERED_INCOMPATIBLE_QOS = 1 << 3;
export const REQUESTED_INCOMPATIBLE_QOS = 1 << 4;
export const DATA_AVAILABLE = 1 << 8;
export const PUBLICATION_MATCHED = 1 << 11;
export const SUBSCRIPTION_MATCHED = 1 << 12;

/** Names libddsc has for the dynamic loader when its path means nothing to it (inside an executable). */
const SONAMES: readonly string[] = Deno.build.os === "darwin"
  ? ["libddsc.11.dylib"]
  : ["libddsc.so.11", "libddsc.so.0debian", "libddsc.so.0"];

/** RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE */
const PIN = Deno.build.os === "darwin" ? 0x2 | 0x10 | 0x80 : 0x2 | 0x4 | 0x1000;

const open = new Map<string, Cyclone>();

/**
 * Opens libddsc, once in each isolate and for ever: its threads and their destructors still run
 * when the isolate ends, so unloading it would crash the process.
 * @throws {LibraryError} when the file is not there or is not a usable libddsc.
 */
export function openCyclone(path: string): Cyclone {
  const opened = open.get(path);
  if (opened !== undefined) return opened;
  let cyclone: Cyclone;
  try {
    cyclone = Deno.dlopen(path, symbols).symbols;
    pin(cyclone, path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LibraryError(`Cannot use ${path} as libddsc: ${plain(reason, path)}`);
  }
  open.set(path, cyclone);
  return cyclone;
}

function pin({ libc_dlopen: dlopen }: Cyclone, path: string): void {
  if (dlopen === null) return; // Windows
  if (![path, ...SONAMES].some((name) => dlopen(cString(name), PIN) !== null)) {
    throw new Error("it cannot be kept loaded");
  }
}

/** A call into libddsc failed: our bug, or the machine is out of something. */
export class DdsError extends Error {
  override readonly name = "DdsError";
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/**
 * Passes a handle or count on.
 * @throws {DdsError} for a negative return code.
 */
export function check(cyclone: Cyclone, action: string, result: number): number {
  if (result >= 0) return result;
  const reason = stringAt(cyclone.dds_strretcode(result));
  throw new DdsError(`Cannot ${action}: ${reason} (${result})`, result);
}

const encoder = new TextEncoder();

/** A zero-terminated copy. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(text);
  const copy = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  copy.set(bytes);
  return copy;
}

export function stringAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** Where a buffer lies. It must be kept alive and be backed by an ArrayBuffer as long as C uses it. */
export function addressOf(buffer: BufferSource | null): bigint {
  return buffer === null ? 0n : Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer));
}

export function pointerAt(address: bigint): Deno.PointerValue {
  return Deno.UnsafePointer.create(address);
}

/** What dlopen(3) and Deno say, each with the other's words and the path in front. */
function plain(reason: string, path: string): string {
  const [line = ""] = reason.split("\n", 1);
  const lacking = /undefined symbol: (\w+)/.exec(line)?.[1];
  if (lacking !== undefined) return `it has no ${lacking}`;
  return line.replace(/^(Could not open library: )+/, "").replace(`${path}: `, "");
}
