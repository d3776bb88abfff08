import assert from "node:assert/strict";
import { options, permissions } from "../../../src/protocols/quic/options.ts";

Deno.test("options has a default for everything", () => {
  const { hostname, port, certificate, key } = options.parse({});
  assert.deepEqual([hostname, port, certificate, key], ["127.0.0.1", 4433, "", ""]);
});

Deno.test("options describes every field", () => {
  for (const [name, field] of Object.entries(options.shape)) {
    assert.ok(field.description, name);
  }
});

Deno.test("options refuses unknown keys, host names and a certificate without its key", () => {
  assert.throws(() => options.parse({ prot: 1 }));
  assert.throws(() => options.parse({ hostname: "localhost" }));
  assert.throws(
    () => options.parse({ certificate: "-----BEGIN CERTIFICATE-----" }),
    /give both/,
  );
});

Deno.test("options takes origins as browsers write them", () => {
  const origins = ["https://example.org", "http://10.0.0.5:8080", "*"];
  assert.deepEqual(options.parse({ origins }).origins, origins);
  for (const origin of ["example.org", "https://example.org/", "ftp://example.org", "**"]) {
    assert.throws(() => options.parse({ origins: [origin] }), /must be \* or origins/, origin);
  }
});

Deno.test("permissions() names the one address the Worker binds, and nothing else", () => {
  const { net, ...others } = permissions(options.parse({ port: 4434 }));
  assert.deepEqual(net, ["127.0.0.1:4434"]);
  assert.ok(Object.values(others).every((permission) => permission === false));
  assert.deepEqual(permissions(options.parse({ hostname: "::1" })).net, ["[::1]:4433"]);
  // The second port gets the number of the first: it cannot be named beforehand.
  assert.deepEqual(permissions(options.parse({ port: 0 })).net, ["127.0.0.1"]);
});
