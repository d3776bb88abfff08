import "reflect-metadata"; // @peculiar/x509 needs it loaded first
import assert from "node:assert/strict";
import { X509Certificate } from "@peculiar/x509";
import { identityOf, withCertificate } from "../../../src/protocols/quic/certificate.ts";
import { dial } from "../../../src/protocols/quic/client.ts";
import { options } from "../../../src/protocols/quic/options.ts";
import { hello, Peer } from "../../support/peer.ts";
import { Bench } from "./bench.ts";

const DAY_MS = 86_400_000;

Deno.test("identityOf() makes a certificate that browsers take by its hash", async () => {
  const identity = await identityOf(options.parse({}));
  const certificate = new X509Certificate(identity.certificate);
  assert.deepEqual(certificate.publicKey.algorithm, { name: "ECDSA", namedCurve: "P-256" });
  // Both ends are part of the validity: 14 days and not a second more.
  const validMs = certificate.notAfter.getTime() - certificate.notBefore.getTime() + 1000;
  assert.equal(validMs, 14 * DAY_MS);
  assert.ok(certificate.notBefore.getTime() < Date.now());
  assert.deepEqual(new Uint8Array(await certificate.getThumbprint("SHA-256")), identity.hash);
});

Deno.test("identityOf() makes another one each time, valid for certificateDays", async () => {
  const own = options.parse({ certificateDays: 90 });
  const [first, second] = await Promise.all([identityOf(own), identityOf(own)]);
  assert.notDeepEqual(first.hash, second.hash);
  const { notBefore, notAfter } = new X509Certificate(first.certificate);
  assert.equal(Math.round((notAfter.getTime() - notBefore.getTime()) / DAY_MS), 90);
});

Deno.test("withCertificate() lets a restarted server prove to be the same", async () => {
  const own = await withCertificate(options.parse({}));
  const { certificate, key } = own;
  const urls: string[] = [];
  for (let start = 0; start < 2; start++) {
    await using bench = await Bench.open({ certificate, key });
    await using peer = await Peer.dial(dial, bench.url, "client-1");
    await peer.ask(hello());
    urls.push(new URL(bench.url).search);
  }
  assert.equal(urls[0], urls[1]);
});

Deno.test("QuicServer.listen() says what is wrong with a certificate in one sentence", async () => {
  const { certificate, key } = await withCertificate(options.parse({}));
  const other = await withCertificate(options.parse({}));
  for (
    const given of [
      { certificate: "nonsense", key },
      { certificate, key: "nonsense" },
      { certificate, key: other.key },
    ]
  ) {
    await assert.rejects(
      Bench.open(given),
      (error: Error) =>
        error.name === "ListenError" && /^Cannot use the QUIC certificate/.test(error.message) &&
        !error.message.includes("\n"),
    );
  }
});
