import assert from "node:assert/strict";
import { create, createFileRegistry, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, status as Status } from "@grpc/grpc-js";
import { Federation } from "../../../src/contract/federation_pb.ts";
import { options } from "../../../src/protocols/grpc/options.ts";
import { reflect } from "../../../src/protocols/grpc/reflection.ts";
import { GrpcServer } from "../../../src/protocols/grpc/server.ts";
import { methodOf } from "../../../src/protocols/grpc/services.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
} from "../../../src/protocols/grpc/standard/reflection_pb.ts";
import { ScriptedCoordinator } from "../../support/scripted_coordinator.ts";
import { serverOptions } from "../subject.ts";

type Question = ServerReflectionRequest["messageRequest"];

function question(messageRequest: Question): ServerReflectionRequest {
  return create(ServerReflectionRequestSchema, { host: "a", messageRequest });
}

function asked(messageRequest: Question): ServerReflectionResponse["messageResponse"] {
  return reflect(question(messageRequest)).messageResponse;
}

/** The files of an answer, as a client puts them to use. */
function filesIn(response: ServerReflectionResponse["messageResponse"]) {
  assert.ok(response.case === "fileDescriptorResponse");
  const file = response.value.fileDescriptorProto.map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes)
  );
  return createFileRegistry(create(FileDescriptorSetSchema, { file }));
}

Deno.test("reflect() lists the services", () => {
  const response = asked({ case: "listServices", value: "*" });
  assert.ok(response.case === "listServicesResponse");
  assert.deepEqual(response.value.service.map(({ name }) => name), [
    "tributary.v1.Federation",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
  ]);
});

Deno.test("reflect() finds the file of a service, a method, a message, a field and an enum", () => {
  for (
    const value of [
      "tributary.v1.Federation",
      "tributary.v1.Federation.Session",
      "tributary.v1.UpdatePart",
      "tributary.v1.UpdatePart.offset",
      "tributary.v1.UpdatePart.MetricsEntry",
      "tributary.v1.Verdict",
    ]
  ) {
    const files = filesIn(asked({ case: "fileContainingSymbol", value }));
    const service = files.getService(Federation.typeName);
    assert.equal(service?.methods[0]?.input.typeName, "tributary.v1.ClientMessage", value);
  }
});

Deno.test("reflect() finds a file by the name that another answer gave it", () => {
  const [file] = filesIn(asked({ case: "fileContainingSymbol", value: "grpc.health.v1.Health" }))
    .files;
  const again = filesIn(asked({ case: "fileByFilename", value: file?.proto.name ?? "" }));
  assert.ok(again.getService("grpc.health.v1.Health"));
});

Deno.test("reflect() answers with an error what is not there", () => {
  const extension = { case: "fileContainingExtension", value: { containingType: "a" } } as const;
  const questions: [MessageInitShape<typeof ServerReflectionRequestSchema>, Status][] = [
    [{ messageRequest: { case: "fileContainingSymbol", value: "no.such" } }, Status.NOT_FOUND],
    [{ messageRequest: { case: "fileContainingSymbol", value: "" } }, Status.NOT_FOUND],
    [{ messageRequest: { case: "fileByFilename", value: "no.proto" } }, Status.NOT_FOUND],
    [{ messageRequest: { case: "allExtensionNumbersOfType", value: "no" } }, Status.NOT_FOUND],
    [{ messageRequest: extension }, Status.NOT_FOUND],
    [{}, Status.INVALID_ARGUMENT],
  ];
  for (const [init, code] of questions) {
    const { messageResponse } = reflect(create(ServerReflectionRequestSchema, init));
    assert.ok(messageResponse.case === "errorResponse");
    assert.equal(messageResponse.value.errorCode, code);
  }
});

Deno.test("reflect() knows that no message here has extensions", () => {
  const response = asked({ case: "allExtensionNumbersOfType", value: "tributary.v1.Task" });
  assert.ok(response.case === "allExtensionNumbersResponse");
  assert.deepEqual(response.value.extensionNumber, []);
});

Deno.test("GrpcServer reflects under both names of the service, question by question", async () => {
  await using server = new GrpcServer(serverOptions("grpc"), options.parse({ port: 0 }));
  const [address] = await server.listen(new ScriptedCoordinator());
  assert.ok(address);
  const client = new Client(new URL(address.url).host, credentials.createInsecure());
  const info = methodOf(ServerReflection.method.serverReflectionInfo);
  for (const path of [info.path, info.path.replace("v1", "v1alpha")]) {
    const call = client.makeBidiStreamRequest(
      path,
      info.requestSerialize,
      info.responseDeserialize,
    );
    call.write(question({ case: "listServices", value: "" }));
    call.end(question({ case: "fileContainingSymbol", value: "tributary.v1.Task" }));
    const answers: ServerReflectionResponse[] = await Array.fromAsync(call);
    assert.deepEqual(answers.map(({ messageResponse }) => messageResponse.case), [
      "listServicesResponse",
      "fileDescriptorResponse",
    ]);
    assert.equal(answers[0]?.validHost, "a");
  }
  client.close();
});
