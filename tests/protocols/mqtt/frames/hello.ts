/** The message that the recordings carry: a Hello of client-1, as bytes. */

import { clientMessage, encodeClientMessage } from "../../../../src/contract/codec.ts";

export const HELLO = encodeClientMessage(clientMessage({
  clientId: "client-1",
  sequence: 1,
  body: {
    case: "hello",
    value: {
      contractVersion: 1,
      nonce: Uint8Array.from({ length: 16 }, (_, index) => index),
      software: "stock",
      samples: 100,
    },
  },
}));

if (import.meta.main) { // for clients that are no TypeScript
  const hex = Deno.args[0] === "--hex";
  await Deno.stdout.write(hex ? new TextEncoder().encode(HELLO.toHex()) : HELLO);
}
