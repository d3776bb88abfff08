import assert from "node:assert/strict";
import { dialUrl } from "../../../../examples/browser/stand_ins/dialers.ts";
import { clientMessage } from "../../../../src/contract/codec.ts";

const options = {
  clientId: "tab",
  will: clientMessage({}),
  signal: new AbortController().signal,
  token: "header.claims.signature",
};

Deno.test("a page's dialUrl() keeps a token off a WebSocket that others can read", async () => {
  await assert.rejects(dialUrl(new URL("ws://127.0.0.1:1/default"), options), {
    name: "ConnectionLost",
    message: /by WebSocket over TLS only: open this page at https:/,
  });
});

Deno.test("a page's dialUrl() names an address that no browser can dial", async () => {
  await assert.rejects(dialUrl(new URL("mqtt://127.0.0.1/default"), options), {
    name: "TypeError",
    message: "A browser cannot dial mqtt://127.0.0.1/default",
  });
});
