/** gRPC's half of the contract: the call's name, its metadata, its status codes and its URLs. */

import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { Metadata, type MethodDefinition, status as Status } from "@grpc/grpc-js";
import { Federation, Verdict } from "../../contract/federation_pb.ts";
import { shownUrl } from "../../contract/shown_url.ts";

/** Metadata of a Session call: the federation name, percent-encoded as in the URL. */
const FEDERATION_KEY = "tributary-federation";

const DEFAULT_PORT = "50051";

/** Each message travels as one flag byte, its length in four bytes, and its bytes. */
export const PREFIX_BYTES = 5;

/**
 * The Session call, message for message, without decoding: unreadable bytes are the coordinator's
 * to judge, and no reason to end the call.
 */
export const session: MethodDefinition<Uint8Array, Uint8Array> = {
  path: `/${Federation.typeName}/${Federation.method.session.name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: bufferOf,
  requestDeserialize: bytesOf,
  responseSerialize: bufferOf,
  responseDeserialize: bytesOf,
};

/** The same bytes as what grpc-js takes; not a copy. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The same bytes without Node's own `slice`, which makes views where Uint8Array's makes copies. */
function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** The status of a call that ends because of a verdict. What it means otherwise, its Receipt says. */
export const statusOf = {
  [Verdict.UNSPECIFIED]: Status.UNKNOWN,
  [Verdict.ACCEPTED]: Status.OK,
  [Verdict.HELD]: Status.OK,
  [Verdict.GAP]: Status.FAILED_PRECONDITION,
  [Verdict.DUPLICATE]: Status.ALREADY_EXISTS,
  [Verdict.STALE]: Status.FAILED_PRECONDITION,
  [Verdict.EARLY]: Status.FAILED_PRECONDITION,
  [Verdict.MALFORMED]: Status.INVALID_ARGUMENT,
  [Verdict.OVERSIZED]: Status.RESOURCE_EXHAUSTED,
  [Verdict.WRONG_SHAPE]: Status.INVALID_ARGUMENT,
  [Verdict.NON_FINITE]: Status.INVALID_ARGUMENT,
  [Verdict.OUT_OF_RANGE]: Status.OUT_OF_RANGE,
  [Verdict.OTHER_RUN]: Status.ABORTED,
  [Verdict.UNAUTHORISED]: Status.PERMISSION_DENIED,
  [Verdict.BUSY]: Status.UNAVAILABLE,
  [Verdict.NO_SESSION]: Status.UNAUTHENTICATED,
  [Verdict.UNSUPPORTED]: Status.UNIMPLEMENTED,
  [Verdict.FINISHED]: Status.FAILED_PRECONDITION,
  [Verdict.FAILED]: Status.INTERNAL,
} as const satisfies Record<Verdict, Status>;

/** What a client says when it calls; without a name it takes whatever federation the server has. */
export function metadataFor(federation: string): Metadata {
  const metadata = new Metadata();
  if (federation !== "") metadata.set(FEDERATION_KEY, encodeURIComponent(federation));
  return metadata;
}

/** The federation a call is for; undefined where it names none. */
export function federationIn(metadata: Metadata): string | undefined {
  const [value] = metadata.get(FEDERATION_KEY);
  return value === undefined ? undefined : decoded(String(value));
}

export function urlOf(
  { address, port }: { readonly address: string; readonly port: number },
  { scheme, federation }: { readonly scheme: string; readonly federation: string },
): string {
  const host = isIP(address) === 6 ? `[${address}]` : address;
  return `${scheme}://${host}:${port}/${encodeURIComponent(federation)}`;
}

/**
 * Where to connect, and to which federation.
 * @throws {TypeError} for a URL that is not `grpc://host:port/name` or `grpcs://host:port/name`.
 */
export function targetOf(
  url: URL,
): { readonly target: string; readonly federation: string; readonly isTls: boolean } {
  const path = url.pathname.replace(/^\//, "");
  const plain = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  const isTls = url.protocol === "grpcs:";
  const isGrpc = isTls || url.protocol === "grpc:";
  if (!isGrpc || url.hostname === "" || path.includes("/") || !plain) {
    throw new TypeError(
      `Cannot read ${
        shownUrl(url)
      }: a gRPC URL is grpc://host:port/federation-name, or grpcs:// for TLS`,
    );
  }
  return {
    target: `${url.hostname}:${url.port || DEFAULT_PORT}`,
    federation: decoded(path),
    isTls,
  };
}

/** Percent-decoded; as it stands where that is not possible. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
