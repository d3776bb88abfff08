import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { Client, credentials, status as Status } from "@grpc/grpc-js";
import { options } from "../../../src/protocols/grpc/options.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { methodOf } from "../../../src/protocols/grpc/services.ts";
import {
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthListRequestSchema,
  type HealthListResponse,
} from "../../../src/protocols/grpc/standard/health_pb.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";

const check = methodOf(Health.method.check);
const list = methodOf(Health.method.list);
const watch = methodOf(Health.method.watch);
const request = (service: string) => create(HealthCheckRequestSchema, { service });

async function open() {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new GrpcServer(serverOptions("grpc"), options.parse({ port: 0 })));
  const [address] = await server.listen(new ScriptedCoordinator());
  assert.ok(address);
  const client = new Client(new URL(address.url).host, credentials.createInsecure());
  stack.defer(() => client.close());
  const owned = stack.move();
  return { server, client, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

function checked(client: Client, service: string): Promise<HealthCheckResponse | undefined> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      check.path,
      check.requestSerialize,
      check.responseDeserialize,
      request(service),
      (error, response) => error === null ? resolve(response) : reject(error),
    );
  });
}

function watched(client: Client, service: string) {
  return client.makeServerStreamRequest(
    watch.path,
    watch.requestSerialize,
    watch.responseDeserialize,
    request(service),
  );
}

Deno.test("Health.Check says SERVING of the server and of its service", async () => {
  await using bench = await open();
  for (const service of ["", "tributary.v1.Federation"]) {
    assert.equal((await checked(bench.client, service))?.status, ServingStatus.SERVING);
  }
});

Deno.test("Health.Check does not know other services", async () => {
  await using bench = await open();
  await assert.rejects(
    checked(bench.client, "no.Such"),
    (error: Error & { code?: Status }) => error.code === Status.NOT_FOUND,
  );
});

Deno.test("Health.List names the server and its service", async () => {
  await using bench = await open();
  const response = await new Promise<HealthListResponse | undefined>((resolve, reject) =>
    bench.client.makeUnaryRequest(
      list.path,
      list.requestSerialize,
      list.responseDeserialize,
      create(HealthListRequestSchema),
      (error, response) => error === null ? resolve(response) : reject(error),
    )
  );
  assert.deepEqual(Object.keys(response?.statuses ?? {}), ["", "tributary.v1.Federation"]);
});

Deno.test("Health.Watch says SERVING, and NOT_SERVING when the server is closed", async () => {
  await using bench = await open();
  const statuses = Array.fromAsync(watched(bench.client, ""), ({ status }) => status);
  const first = watched(bench.client, "")[Symbol.asyncIterator]();
  await first.next();
  await bench.server[Symbol.asyncDispose]();
  assert.deepEqual(await statuses, [ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
});

Deno.test("Health.Watch of another service says SERVICE_UNKNOWN, and goes on", async () => {
  await using bench = await open();
  const call = watched(bench.client, "no.Such");
  call.on("error", () => {}); // CANCELLED, by this test
  const { value } = await call[Symbol.asyncIterator]().next();
  assert.equal(value.status, ServingStatus.SERVICE_UNKNOWN);
  call.cancel();
});
