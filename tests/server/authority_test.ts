import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { issue, makeAuthority, SERVER_DAYS } from "../../src/server/authority.ts";

const DAY_MS = 86_400_000;

Deno.test("makeAuthority() makes an authority unlike any other", async () => {
  const [first, second] = await Promise.all([makeAuthority(), makeAuthority()]);
  const certificate = new X509Certificate(first.certificate);
  assert.equal(certificate.ca, true);
  assert.ok(certificate.verify(certificate.publicKey));
  assert.notEqual(certificate.subject, new X509Certificate(second.certificate).subject);
});

Deno.test("issue() makes a certificate for hosts, which its authority vouches for and no other", async () => {
  const authority = await makeAuthority();
  const issuer = new X509Certificate(authority.certificate);
  const hosts = ["fl.example.org", "192.0.2.7", "::1"];
  const own = new X509Certificate((await issue(authority, hosts)).certificate);
  assert.equal(own.ca, false);
  assert.ok(own.verify(issuer.publicKey));
  assert.equal(own.issuer, issuer.subject);
  assert.ok(!own.verify(new X509Certificate((await makeAuthority()).certificate).publicKey));
  assert.equal(own.checkHost("fl.example.org"), "fl.example.org");
  assert.equal(own.checkHost("example.org"), undefined);
  assert.equal(own.checkIP("192.0.2.7"), "192.0.2.7");
  const days = (Date.parse(own.validTo) - Date.parse(own.validFrom)) / DAY_MS;
  assert.equal(days, SERVER_DAYS);
});
