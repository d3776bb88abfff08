import assert from "node:assert/strict";
import { fileName, TARGETS, wiresOf } from "../../src/executable/target.ts";

const NEW = { path: "deno", version: "2.9.6", grpcRefusal: undefined };
const OLD = { path: "deno", version: "2.6.10", grpcRefusal: "gRPC needs another Deno" };

Deno.test("wiresOf() says which wires a target has, and why not all", () => {
  const all = "mqtt, amqp, quic, grpc, dds";
  assert.deepEqual(TARGETS.filter((each) => wiresOf(each, NEW) === all), [
    "x86_64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
  ]);
  assert.match(wiresOf("aarch64-unknown-linux-gnu", NEW), /^mqtt, amqp, quic, grpc; dds where/);
  assert.match(
    wiresOf("x86_64-apple-darwin", OLD),
    /^mqtt, amqp, quic, dds; without grpc: gRPC needs another Deno$/,
  );
});

Deno.test("fileName() ends with .exe for Windows alone", () => {
  assert.equal(fileName("tributary", "x86_64-pc-windows-msvc"), "tributary.exe");
  assert.equal(fileName("tributary", "x86_64-unknown-linux-gnu"), "tributary");
});
