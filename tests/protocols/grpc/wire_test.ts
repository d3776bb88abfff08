import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Metadata, status as Status } from "@grpc/grpc-js";
import * as fc from "fast-check";
import { Verdict } from "../../../src/contract/federation_pb.ts";
import {
  bufferOf,
  federationIn,
  metadataFor,
  session,
  statusOf,
  targetOf,
  urlOf,
} from "../../../src/protocols/grpc/wire.ts";

const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .filter((name) => name !== "." && name !== ".."); // a URL drops them, RFC 3986 §5.2.4

Deno.test("urlOf() and targetOf() keep any federation name and address", () => {
  const addresses = fc.oneof(fc.ipV4(), fc.constantFrom("::", "::1", "2001:db8::1"));
  fc.assert(fc.property(addresses, fc.nat({ max: 65535 }), names, (address, port, name) => {
    const { target, federation } = targetOf(
      new URL(urlOf({ address, port }, { scheme: "grpc", federation: name })),
    );
    const host = address.includes(":") ? `[${address}]` : address;
    assert.deepEqual({ target, federation }, { target: `${host}:${port}`, federation: name });
  }));
});

Deno.test("targetOf() knows the port where the URL has none", () => {
  const { target, federation } = targetOf(new URL("grpc://example.test"));
  assert.deepEqual({ target, federation }, { target: "example.test:50051", federation: "" });
});

Deno.test("targetOf() says what a gRPC URL looks like", () => {
  for (
    const url of [
      "mqtt://127.0.0.1/a",
      "grpc://127.0.0.1/a/b",
      "grpc://me:secret@127.0.0.1/a",
      "grpc://127.0.0.1/a?b=c",
      "grpc:a",
    ]
  ) {
    assert.throws(() => targetOf(new URL(url)), {
      name: "TypeError",
      message: `Cannot read ${
        url.replace("secret", "***")
      }: a gRPC URL is grpc://host:port/federation-name, or grpcs:// for TLS`,
    });
  }
});

Deno.test("metadataFor() and federationIn() keep any federation name", () => {
  fc.assert(fc.property(names, (name) => {
    assert.equal(federationIn(metadataFor(name)), name);
  }));
  assert.equal(federationIn(metadataFor("")), undefined);
});

Deno.test("federationIn() takes a name that is not percent-encoded as it stands", () => {
  const metadata = new Metadata();
  metadata.set("tributary-federation", "100%");
  assert.equal(federationIn(metadata), "100%");
});

Deno.test("statusOf has a status for every verdict, and OK for the good ones alone", () => {
  const verdicts = Object.values(Verdict).filter((entry) => typeof entry === "number");
  const good = verdicts.filter((verdict) => statusOf[verdict] === Status.OK);
  assert.equal(Object.keys(statusOf).length, verdicts.length);
  assert.deepEqual(good, [Verdict.ACCEPTED, Verdict.HELD]);
});

Deno.test("session passes bytes on without a copy, and without Node's kind of slice", () => {
  const pool = Buffer.from([9, 1, 2, 3, 9]);
  const bytes = session.requestDeserialize(pool.subarray(1, 4));
  assert.equal(bytes.constructor, Uint8Array);
  assert.deepEqual(bytes, new Uint8Array([1, 2, 3]));
  assert.equal(bytes.buffer, pool.buffer);
  assert.equal(bufferOf(bytes).buffer, pool.buffer);
  assert.deepEqual([...session.responseSerialize(bytes)], [1, 2, 3]);
  assert.equal(session.path, "/tributary.v1.Federation/Session");
});
