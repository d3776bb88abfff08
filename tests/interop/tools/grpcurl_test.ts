/** grpcurl, which is grpc-go, on the gRPC endpoint: it knows of the services by reflection alone. */

import assert from "node:assert/strict";
import { withPrograms } from "../brokers/installed.ts";
import { Endpoint } from "./endpoint.ts";
import { grpcurl } from "./programs.ts";
import { said } from "./said.ts";

/** grpcurl's exit code is 64 more than the gRPC status of a call. */
const NOT_FOUND = 64 + 5;
const RESOURCE_EXHAUSTED = 64 + 8;

const SESSION = "tributary.v1.Federation/Session";
const HELLO = {
  client_id: "client-1",
  sequence: 1,
  hello: { contract_version: 1, nonce: "AAECAwQFBgcICQoLDA0ODw==", samples: 100 },
};

/** Runs it with `input` as the call's messages, in JSON. */
async function curl(
  endpoint: Endpoint,
  { flags = [], words, input }: { flags?: string[]; words: string[]; input?: unknown },
) {
  const messages = input === undefined ? [] : ["-d", "@"];
  const target = `127.0.0.1:${endpoint.port}`;
  return await said(await grpcurl(), {
    args: ["-plaintext", ...flags, ...messages, target, ...words],
    ...(input === undefined ? {} : { input: JSON.stringify(input) }),
  });
}

await withPrograms(["go"], () => {
  Deno.test("grpcurl lists the services by reflection, and describes a message", async () => {
    await using endpoint = await Endpoint.open("grpc");
    const services = await curl(endpoint, { words: ["list"] });
    assert.deepEqual(services.lines, [
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "tributary.v1.Federation",
    ]);
    const methods = await curl(endpoint, { words: ["list", "tributary.v1.Federation"] });
    assert.deepEqual(methods.lines, ["tributary.v1.Federation.Session"]);
    const part = await curl(endpoint, { words: ["describe", "tributary.v1.ModelHeld"] });
    assert.deepEqual(part.lines, [
      "tributary.v1.ModelHeld is a message:",
      "message ModelHeld {",
      "  uint32 model_round = 1;",
      "  uint64 offset = 2;",
      "  bytes sha256 = 3;",
      "}",
    ]);
    await endpoint.trains();
    assert.deepEqual(endpoint.refusals, []);
  });

  Deno.test("grpcurl asks for the health of server and service: SERVING, and NOT_FOUND for another", async () => {
    await using endpoint = await Endpoint.open("grpc");
    const words = ["grpc.health.v1.Health/Check"];
    for (const input of [{}, { service: "tributary.v1.Federation" }]) {
      const { code, text } = await curl(endpoint, { words, input });
      assert.equal(code, 0);
      assert.deepEqual(JSON.parse(text), { status: "SERVING" });
    }
    const other = await curl(endpoint, { words, input: { service: "nobody" } });
    assert.equal(other.code, NOT_FOUND);
    assert.match(other.errors, /There is no service nobody here/);
    await endpoint.trains();
  });

  Deno.test("grpcurl says Hello in JSON, and is answered on the stream before it ends with OK", async () => {
    await using endpoint = await Endpoint.open("grpc");
    const { code, text } = await curl(endpoint, { words: [SESSION], input: HELLO });
    assert.equal(code, 0);
    const answers = text.split(/^(?=\{)/m).map((each) => JSON.parse(each));
    const [receipt] = answers.filter((answer) => "receipt" in answer);
    assert.deepEqual(receipt?.receipt, { sequence: 1, verdict: "VERDICT_ACCEPTED" });
    const [welcome] = answers.filter((answer) => "welcome" in answer);
    assert.equal(welcome?.welcome.nonce, HELLO.hello.nonce);
    assert.deepEqual(endpoint.refusals, []);
  });

  Deno.test("grpcurl is told by status: NOT_FOUND in another federation, RESOURCE_EXHAUSTED for a message too large", async () => {
    await using endpoint = await Endpoint.open("grpc");
    const flags = ["-H", "tributary-federation: elsewhere"];
    const elsewhere = await curl(endpoint, { flags, words: [SESSION], input: HELLO });
    assert.equal(elsewhere.code, NOT_FOUND);
    assert.match(elsewhere.errors, /There is no federation elsewhere here, but default/);
    const input = { ...HELLO, hello: { ...HELLO.hello, software: "x".repeat(600_000) } };
    const large = await curl(endpoint, { words: [SESSION], input });
    assert.equal(large.code, RESOURCE_EXHAUSTED);
    assert.match(large.errors, /this server's maxMessageBytes is 524288/);
    await endpoint.refused(2);
    await endpoint.trains();
    assert.equal(endpoint.refusals.length, 2, endpoint.refusals.join("\n"));
  });

  Deno.test("grpcurl that begins with TLS is refused, and the operator reads of it once", async () => {
    await using endpoint = await Endpoint.open("grpc");
    const { code } = await said(await grpcurl(), {
      args: ["-insecure", `127.0.0.1:${endpoint.port}`, "list"],
    });
    assert.equal(code, 1);
    await endpoint.refused(1);
    await endpoint.trains();
    assert.equal(endpoint.refusals.length, 1, endpoint.refusals.join("\n"));
  });
});
