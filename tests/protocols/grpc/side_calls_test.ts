/** Health and reflection are for everybody, so nobody may fill the server up with them. */

import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  status as Status,
  type StatusObject,
} from "@grpc/grpc-js";
import { options } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { methodOf } from "../../../src/protocols/grpc/services.ts";
import { SideCalls } from "../../../src/protocols/grpc/side_calls.ts";
import {
  Health,
  HealthCheckRequestSchema,
} from "../../../src/protocols/grpc/standard/health_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "../../../src/protocols/grpc/standard/reflection_pb.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";

const check = methodOf(Health.method.check);
const info = methodOf(ServerReflection.method.serverReflectionInfo);

async function open() {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new GrpcServer(serverOptions("grpc"), options.parse({ port: 0 })));
  const [address] = await server.listen(new ScriptedCoordinator());
  assert.ok(address);
  const client = new Client(new URL(address.url).host, credentials.createInsecure());
  stack.defer(() => client.close());
  const owned = stack.move();
  return { client, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

function checked(client: Client, service: string): Promise<Status> {
  const request = create(HealthCheckRequestSchema, { service });
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      check.path,
      check.requestSerialize,
      check.responseDeserialize,
      request,
      (error) => resolve(error?.code ?? Status.OK),
    );
  });
}

Deno.test("Health.Check takes no message that is longer than a name", async () => {
  await using bench = await open();
  assert.equal(await checked(bench.client, ""), Status.OK);
  assert.equal(await checked(bench.client, "x".repeat(4000)), Status.NOT_FOUND);
  assert.equal(await checked(bench.client, "x".repeat(5000)), Status.RESOURCE_EXHAUSTED);
});

Deno.test("the ninth call of reflection takes the place of the first", async () => {
  await using bench = await open();
  type Call = ClientDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;
  const calls: { readonly call: Call; readonly ended: Promise<StatusObject> }[] = [];
  for (let count = 0; count < 9; count++) {
    const call: Call = bench.client.makeBidiStreamRequest(
      info.path,
      info.requestSerialize,
      info.responseDeserialize,
    );
    const ended = new Promise<StatusObject>((resolve) => call.on("status", resolve));
    call.on("error", () => {}); // the status says it
    const answered = new Promise<void>((resolve) => call.once("data", () => resolve()));
    call.write(create(ServerReflectionRequestSchema, {
      messageRequest: { case: "listServices", value: "" },
    }));
    await answered;
    calls.push({ call, ended });
  }
  assert.equal((await calls[0]?.ended)?.code, Status.RESOURCE_EXHAUSTED);
  for (const { call } of calls.slice(1)) call.end();
  for (const { ended } of calls.slice(1)) assert.equal((await ended).code, Status.OK);
});

Deno.test("SideCalls lets the oldest go, and forgets those that have left", () => {
  const ended: string[] = [];
  const call = (name: string) =>
    ({ sendStatus: () => ended.push(name) }) as unknown as Parameters<SideCalls["enter"]>[0];
  const side = new SideCalls(2);
  const [first, second, third, fourth] = ["first", "second", "third", "fourth"].map(call);
  assert.ok(first && second && third && fourth);
  side.enter(first, check.path);
  side.enter(second, check.path);
  side.leave(first);
  side.enter(third, check.path);
  assert.deepEqual(ended, []);
  side.enter(fourth, check.path);
  assert.deepEqual(ended, ["second"]);
});
