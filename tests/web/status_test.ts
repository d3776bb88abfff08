import assert from "node:assert/strict";
import { status, unreadiness } from "../../src/web/status.ts";
import { sampleStatus } from "./sample_status.ts";

Deno.test("status survives JSON", () => {
  assert.deepEqual(status.parse(JSON.parse(JSON.stringify(sampleStatus))), sampleStatus);
});

Deno.test("unreadiness is undefined while one wire is up", () => {
  assert.equal(unreadiness(sampleStatus), undefined);
});

Deno.test("unreadiness says in which phase nobody can be served", () => {
  assert.equal(unreadiness({ ...sampleStatus, phase: "starting" }), "the server is starting");
  assert.equal(unreadiness({ ...sampleStatus, phase: "finished" }), "the run has finished");
  assert.equal(unreadiness({ ...sampleStatus, phase: "draining" }), "the server is going away");
});

Deno.test("unreadiness says why no wire is up", () => {
  const [wire] = sampleStatus.wires;
  assert.ok(wire !== undefined);
  assert.equal(unreadiness({ ...sampleStatus, wires: [] }), "no wire is up");
  assert.equal(
    unreadiness({
      ...sampleStatus,
      wires: [
        { ...wire, state: "down", reason: "the port is taken" },
        { ...wire, wire: "amqp", state: "restarting" },
      ],
    }),
    "no wire is up: mqtt: the port is taken; amqp: down",
  );
});
