import assert from "node:assert/strict";
import { untrusted } from "../../src/cli/untrusted.ts";

/** What Deno 2.6 and 2.9 were heard to say, by fetch, QUIC and node:tls. */
const heard: [string, RegExp][] = [
  [
    "invalid peer certificate: certificate expired: verification time 17 (UNIX), but",
    /^its .* expired/,
  ],
  [
    "invalid peer certificate: certificate not valid yet: verification time 17",
    /^its .* not valid yet/,
  ],
  [
    'invalid peer certificate: certificate not valid for name "127.0.0.1"; it is for',
    /other names/,
  ],
  ["Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in", /other names/],
  ["unable to verify the first certificate", /expired, or .* --ca$/],
  ["self-signed certificate", /^no authority .* --ca$/],
  ["invalid peer certificate: UnknownIssuer", /^no authority .* --ca$/],
];

for (const [words, advice] of heard) {
  Deno.test(`untrusted() says what to do about "${words}"`, () => {
    assert.match(untrusted(`Cannot connect to 127.0.0.1:1883: ${words}`) ?? "", advice);
  });
}

Deno.test("untrusted() has all causes where Deno tells none", () => {
  assert.match(untrusted("Cannot connect to 127.0.0.1:1 over AMQP: write UNKNOWN") ?? "", /--ca$/);
  const closed = "Cannot connect to 127.0.0.1:1: the endpoint closed the connection";
  assert.match(untrusted(closed, "mqtts://127.0.0.1:1/default") ?? "", /--ca$/);
  assert.equal(untrusted(closed, "mqtt://127.0.0.1:1/default"), undefined);
});

Deno.test("untrusted() has nothing to say about another failure", () => {
  assert.equal(untrusted("connect ECONNREFUSED 127.0.0.1:1883"), undefined);
});
