import assert from "node:assert/strict";
import { Lock, nameIn, plain } from "../../src/release/lock.ts";

const integrity = `sha512-${new Uint8Array(64).fill(0xab).toBase64()}`;

function lock(npm: Record<string, string[]>): Lock {
  const entries = Object.entries(npm).map(([key, dependencies]) =>
    [key, dependencies.length === 0 ? { integrity } : { integrity, dependencies }] as const
  );
  return new Lock(JSON.stringify({ version: "5", npm: Object.fromEntries(entries) }));
}

const sample = lock({
  "@a/one@1.0.0_two@2.0.0": ["two", "long@4.0.0"],
  "two@2.0.0": ["@a/one"],
  "long@4.0.0": [],
  "long@5.3.0": [],
  "alone@1.0.0": [],
});

Deno.test("Lock.closure has what is needed, and what that needs, once", () => {
  const all = ["@a/one@1.0.0", "long@4.0.0", "two@2.0.0"];
  assert.deepEqual(sample.closure(["two@2.0.0"]), all);
  assert.deepEqual(sample.closure(["@a/one@1.0.0_two@2.0.0", "two@2.0.0"]), all);
  assert.deepEqual(sample.closure(["alone@1.0.0"]), ["alone@1.0.0"]);
});

Deno.test("Lock.sha512 is the archive's, in hexadecimal", () => {
  assert.equal(sample.sha512("alone@1.0.0"), "ab".repeat(64));
});

Deno.test("Lock refuses what it cannot tell", () => {
  assert.throws(() => sample.needs("three@1.0.0"), {
    name: "ReleaseError",
    message: "three@1.0.0 is in an executable, but not in deno.lock; compile again",
  });
  assert.throws(() => lock({ "a@1.0.0": ["b"], "b@1.0.0": [], "b@2.0.0": [] }), {
    name: "ReleaseError",
    message: "deno.lock does not say which b is meant; write it anew with Deno",
  });
  const sha1 = new Lock('{"version":"5","npm":{"a@1.0.0":{"integrity":"sha1-AAAA"}}}');
  assert.throws(() => sha1.sha512("a@1.0.0"), { name: "ReleaseError" });
  assert.throws(() => new Lock('{"version":"4","npm":{}}'));
});

Deno.test("Lock reads deno.lock itself", async () => {
  const own = new Lock(await Deno.readTextFile(new URL("../../deno.lock", import.meta.url)));
  const inside = own.closure(["@grpc/grpc-js@1.14.7"]);
  assert.ok(inside.some((id) => nameIn(id) === "protobufjs"));
});

Deno.test("names and versions are taken from a lock's keys", () => {
  assert.equal(plain("@scope/name@1.0.0-rc.1_@peer+x@2.0.0_y@3"), "@scope/name@1.0.0-rc.1");
  assert.equal(plain("snake_case@1.0.0"), "snake_case@1.0.0");
  assert.equal(nameIn("@scope/name"), "@scope/name");
  assert.equal(nameIn("name@1.0.0"), "name");
});
