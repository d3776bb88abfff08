import assert from "node:assert/strict";
import { brokerAdvice } from "../../src/contract/broker_advice.ts";

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
