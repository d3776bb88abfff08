import assert from "node:assert/strict";
import { advertised } from "../../src/server/advertised.ts";
import { issue, makeAuthority } from "../../src/server/authority.ts";

const authority = await makeAuthority();
const certificate = await issue(authority, ["localhost", "127.0.0.1", "::1", "fl.example.org"]);
const wild = await issue(authority, ["*.example.org", "192.0.2.7"]);

for (
  const [url, expected] of [
    // Every address: by a name that other machines can use.
    ["mqtts://0.0.0.0:1883/default", "mqtts://fl.example.org:1883/default"],
    ["https://[::]:8080/", "https://fl.example.org:8080/"],
    ["quic://0.0.0.0:4433/default", "quic://fl.example.org:4433/default"],
    // One that the certificate is for stays.
    ["amqps://127.0.0.1:5672/default", "amqps://127.0.0.1:5672/default"],
    ["grpcs://[::1]:50051/default", "grpcs://[::1]:50051/default"],
    // One that it is not for could be dialled by nobody.
    ["grpcs://10.0.0.5:50051/default", "grpcs://localhost:50051/default"],
    // Nothing to prove, or proven by a hash.
    ["dds://127.0.0.1:7410/default", "dds://127.0.0.1:7410/default"],
    ["mqtt://0.0.0.0:1883/default", "mqtt://0.0.0.0:1883/default"],
    ["quic://10.0.0.5:4433/default?hash=abc", "quic://10.0.0.5:4433/default?hash=abc"],
  ] as const
) {
  Deno.test(`advertised() makes ${expected} of ${url}`, () => {
    assert.equal(advertised(url, certificate), expected);
  });
}

Deno.test("advertised() passes over wildcards, and leaves addresses alone without a certificate", () => {
  assert.equal(advertised("mqtts://0.0.0.0:1/a", wild), "mqtts://192.0.2.7:1/a");
  assert.equal(advertised("mqtts://0.0.0.0:1/a", undefined), "mqtts://0.0.0.0:1/a");
});
