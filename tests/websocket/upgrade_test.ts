import assert from "node:assert/strict";
import fc from "fast-check";
import { Verdict } from "../../src/contract/federation_pb.ts";
import { readUpgrade, upgradeAccepted, upgradeRefused } from "../../src/websocket/upgrade.ts";

const FIELDS = {
  host: "127.0.0.1:4433",
  upgrade: "websocket",
  connection: "keep-alive, Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

function head(fields: Readonly<Record<string, string>> = {}, line = "GET /default HTTP/1.1") {
  const all = Object.entries({ ...FIELDS, ...fields });
  return [line, ...all.map(([name, value]) => `${name}: ${value}`)].join("\r\n");
}

for (
  const [client, origin] of [
    ["chromium-156", "http://127.0.0.1:46609"],
    ["deno-2.9.6", undefined],
    ["websockets-17.4", undefined],
  ] as const
) {
  Deno.test(`readUpgrade() reads what ${client} asks with`, async () => {
    const file = new URL(`./frames/upgrade-${client}.txt`, import.meta.url);
    const [recorded = ""] = (await Deno.readTextFile(file)).split("\n\n");
    const request = readUpgrade(recorded.replaceAll("\n", "\r\n"));
    assert.ok(typeof request !== "string", String(request));
    assert.equal(request.path, "/default");
    assert.equal(request.origin, origin);
    assert.match(request.host ?? "", /^127\.0\.0\.1:\d+$/);
  });
}

for (
  const [what, text, message] of [
    ["what is no HTTP", "\x16\x03\x01", /not an HTTP\/1\.1 GET/],
    ["a POST", head({}, "POST /default HTTP/1.1"), /not an HTTP\/1\.1 GET/],
    ["HTTP/1.0", head({}, "GET /default HTTP/1.0"), /not an HTTP\/1\.1 GET/],
    ["a broken field", `${head()}\r\nno colon`, /broken header field/],
    ["a request for a page", head({ upgrade: "" }), /not for a WebSocket/],
    ["a connection without upgrade", head({ connection: "close" }), /not for a WebSocket/],
    ["another version", head({ "sec-websocket-version": "8" }), /in version 13/],
    ["a key that is none", head({ "sec-websocket-key": "abc" }), /no Sec-WebSocket-Key/],
  ] as const
) {
  Deno.test(`readUpgrade() refuses ${what}`, () => {
    assert.match(String(readUpgrade(text)), message);
  });
}

Deno.test("readUpgrade() is done with 8 KB of blanks at once", () => {
  // A pattern that can match them in many ways would take minutes, and nobody else were served.
  assert.match(String(readUpgrade(`${head()}\r\na:${" ".repeat(8000)}\n`)), /broken header field/);
});

Deno.test("readUpgrade() takes field names in any case, and lists in several fields", () => {
  const request = readUpgrade(
    [
      "GET /K%201?x HTTP/1.1",
      "HOST: example.org",
      "Connection: keep-alive",
      "Connection: upgrade",
      "uPgrade:WebSocket",
      "Sec-WebSocket-Version: 13 ",
      `Sec-WebSocket-Key: ${FIELDS["sec-websocket-key"]}`,
    ].join("\r\n"),
  );
  assert.ok(typeof request !== "string", String(request));
  assert.deepEqual([request.path, request.host], ["/K%201?x", "example.org"]);
});

Deno.test("readUpgrade() never throws, whatever the text", () => {
  fc.assert(fc.property(fc.string(), (text) => void readUpgrade(text)));
  fc.assert(fc.property(fc.string(), (text) => void readUpgrade(`${head()}\r\n${text}`)));
});

Deno.test("upgradeAccepted() proves to have read the key as RFC 6455 does (§1.3)", async () => {
  const answer = new TextDecoder().decode(await upgradeAccepted(FIELDS["sec-websocket-key"]));
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.match(answer, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n\r\n$/);
  assert.doesNotMatch(answer, /Sec-WebSocket-Protocol/);
});

Deno.test("upgradeAccepted() names the subprotocol to speak (§4.2.2)", async () => {
  const answer = await upgradeAccepted(FIELDS["sec-websocket-key"], "mqtt");
  assert.match(new TextDecoder().decode(answer), /\r\nSec-WebSocket-Protocol: mqtt\r\n/);
});

Deno.test("readUpgrade() reads the subprotocols that are asked for, in order", () => {
  const subprotocols = (fields: Readonly<Record<string, string>>) => {
    const request = readUpgrade(head(fields));
    return typeof request === "string" ? request : request.subprotocols;
  };
  assert.deepEqual(subprotocols({}), []);
  assert.deepEqual(subprotocols({ "sec-websocket-protocol": "mqttv3.1, mqtt" }), [
    "mqttv3.1",
    "mqtt",
  ]);
});

for (
  const [verdict, status] of [
    [Verdict.MALFORMED, 400],
    [Verdict.UNAUTHORISED, 403],
    [Verdict.UNSUPPORTED, 404],
    [Verdict.BUSY, 503],
  ] as const
) {
  Deno.test(`upgradeRefused() answers ${Verdict[verdict]} with status ${status}`, () => {
    const answer = new TextDecoder().decode(upgradeRefused({ verdict, reason: "Köln" }));
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `));
    assert.match(answer, /\r\nContent-Length: 6\r\n/);
    assert.ok(answer.endsWith("\r\n\r\nKöln\n"));
  });
}
