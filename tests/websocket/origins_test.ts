import assert from "node:assert/strict";
import { isWelcome } from "../../src/websocket/origins.ts";

const LOCAL = "127.0.0.1:4433";

for (
  const [origin, host, allowed, expected] of [
    // No browser.
    [undefined, LOCAL, [], true],
    // Pages of this machine.
    ["http://127.0.0.1:8080", LOCAL, [], true],
    ["http://127.9.9.9", LOCAL, [], true],
    ["http://localhost:3000", LOCAL, [], true],
    ["https://[::1]:8080", "[::1]:4433", [], true],
    // The server's own page, where it has an IP address.
    ["http://10.0.0.5:8080", "10.0.0.5:4433", [], true],
    ["http://[fd00::5]:8080", "[fd00::5]:4433", [], true],
    ["http://10.0.0.6:8080", "10.0.0.5:4433", [], false],
    // Any site's page, also one whose name leads here.
    ["https://example.org", LOCAL, [], false],
    ["http://example.org:8080", "example.org:4433", [], false],
    ["http://localhost.example.org", LOCAL, [], false],
    ["http://127.0.0.1.example.org", LOCAL, [], false],
    ["null", LOCAL, [], false],
    ["", LOCAL, [], false],
    // What the operator allows.
    ["https://example.org", LOCAL, ["https://example.org"], true],
    ["https://example.org:8443", LOCAL, ["https://example.org"], false],
    ["http://example.org", LOCAL, ["https://example.org"], false],
    ["null", LOCAL, ["*"], true],
    ["http://10.0.0.5:8080", undefined, [], false],
  ] as const
) {
  Deno.test(`isWelcome() is ${expected} for ${origin} at ${host}, allowed [${allowed}]`, () => {
    assert.equal(isWelcome({ origin, host }, allowed), expected);
  });
}

Deno.test("isWelcome() lets a page of the server's own name in where a certificate proves the name", () => {
  const host = "fl.example.org:4433";
  const origin = "https://fl.example.org:8080";
  assert.ok(isWelcome({ origin, host, isProven: true }, []));
  assert.ok(!isWelcome({ origin, host }, []));
  assert.ok(!isWelcome({ origin: "https://example.org", host, isProven: true }, []));
});
