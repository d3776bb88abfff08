import assert from "node:assert/strict";
import { brokerAdvice, serverAdvice } from "../../src/contract/tls_advice.ts";

Deno.test("brokerAdvice() speaks of TLS where it failed or may be wanted, and nowhere else", () => {
  const place = { isTls: true };
  const of = { flag: "--mqtt-broker", scheme: "mqtts" };
  const advice = brokerAdvice("self-signed certificate", place, of);
  assert.match(advice, /^; --mqtt-broker has to name .*, and --mqtt-broker-ca the authority/);
  assert.equal(brokerAdvice("connect ECONNREFUSED", place, of), "");
  const plain = { isTls: false };
  assert.equal(brokerAdvice("certificate", plain, of), "");
  assert.match(
    brokerAdvice("read ECONNRESET", plain, of),
    /--mqtt-broker has to begin with mqtts:/,
  );
});

Deno.test("serverAdvice() speaks of --ca where a server did not prove itself, and nowhere else", () => {
  const of = (reason: string, url: string) => serverAdvice(reason, new URL(url));
  assert.match(of("self-signed certificate", "mqtts://host:1/default"), /^; name by --ca /);
  assert.match(of("invalid peer certificate: UnknownIssuer", "quic://host/default"), /--ca/);
  assert.match(of("the endpoint closed the connection", "mqtts://host/default"), /--ca/);
  for (
    const [reason, url] of [
      ["self-signed certificate", "mqtt://host/default"],
      ["invalid peer certificate: UnknownIssuer", "quic://host/default?hash=abc"],
      ["connect ECONNREFUSED", "amqps://host/default"],
    ] as const
  ) assert.equal(of(reason, url), "", url);
});
