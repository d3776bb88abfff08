/** SHA-256 of bytes that are all there. In browsers another file stands in for this one. */

import { createHash } from "node:crypto";

export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
