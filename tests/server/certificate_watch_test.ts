import assert from "node:assert/strict";
import type { CertificateState } from "../../src/events.ts";
import {
  CertificateWatch,
  leftOf,
  LOOK_MS,
  usedCertificates,
} from "../../src/server/certificate_watch.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { loopbackTls } from "../support/tls.ts";
import { StateDirectory } from "../vault/state_directory.ts";
import { smallConfig } from "./small_config.ts";

const DAY_MS = 86_400_000;
const { certificate } = loopbackTls;
const expiresMs = leftOf(certificate, 0);

/** What is told of one that the server has been given or has made, begun so long before its end. */
function watched(leftMs: number, isOurs = false) {
  const clock = new ManualClock();
  const told: CertificateState[] = [];
  const watch = new CertificateWatch([{ section: "tls", certificate, isOurs }], {
    clock,
    dateMs: () => expiresMs - leftMs + clock.nowMs(),
    tell: (state) => told.push(state),
  });
  return { clock, told, watch };
}

Deno.test("CertificateWatch tells of a certificate at first, daily in its last 14 days, and when it has expired", () => {
  const { clock, told, watch } = watched(15 * DAY_MS);
  using _ = watch;
  const standings = () => told.splice(0).map(({ standing }) => standing);
  assert.deepEqual(standings(), ["good"]);
  clock.pass(DAY_MS);
  assert.deepEqual(standings(), []);
  clock.pass(LOOK_MS);
  assert.deepEqual(standings(), ["soon"]);
  clock.pass(2 * DAY_MS);
  assert.deepEqual(standings(), ["soon", "soon"]);
  clock.pass(12 * DAY_MS);
  assert.deepEqual(standings().slice(-2), ["soon", "expired"]);
  clock.pass(DAY_MS);
  assert.deepEqual(standings(), ["expired"]);
});

Deno.test("CertificateWatch says what to do, and when", () => {
  const [state] = watched(DAY_MS).told;
  assert.deepEqual(state, {
    certificate: "tls",
    standing: "soon",
    expires: new Date(expiresMs).toISOString(),
    todo: "get its successor, and start the server again",
  });
});

Deno.test("CertificateWatch leaves a certificate of the server's own until its last day", () => {
  assert.equal(watched(2 * DAY_MS, true).told[0]?.standing, "good");
  assert.match(watched(DAY_MS / 2, true).told[0]?.todo ?? "", /makes another one/);
});

Deno.test("CertificateWatch leaves no timer behind", () => {
  const { clock, watch } = watched(DAY_MS);
  watch[Symbol.dispose]();
  assert.equal(clock.timers, 0);
});

Deno.test("usedCertificates() has QUIC's own beside that of TLS, and one for both once", () => {
  using directory = new StateDirectory();
  const config = smallConfig(directory.path, { protocols: "mqtt,quic" });
  const certified = { ...config, quic: { ...config.quic, certificate, key: loopbackTls.key } };
  const seen = (...args: Parameters<typeof usedCertificates>) =>
    usedCertificates(...args).map(({ section, isOurs }) => [section, isOurs]);
  assert.deepEqual(seen(config, certified, undefined), [["quic", true]]);
  assert.deepEqual(seen(config, certified, loopbackTls), [["tls", false]]);
  const named = { ...config, quic: { ...config.quic, certificate: "quic.pem" } };
  assert.deepEqual(seen(named, certified, loopbackTls), [["tls", false], ["quic", false]]);
  assert.deepEqual(seen({ ...config, protocols: ["mqtt"] }, certified, undefined), []);
});
