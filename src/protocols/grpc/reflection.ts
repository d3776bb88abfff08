/**
 * Server reflection, https://github.com/grpc/grpc/blob/master/doc/server-reflection.md: what lets
 * grpcurl list and call the server without a .proto file. The descriptors are those of the generated
 * code. Not by @grpc/reflection: that reads .proto files at start, and this Worker may read no file.
 */

import { create, createRegistry, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type Server, type ServerDuplexStream, status as Status } from "@grpc/grpc-js";
import { Federation, file_federation } from "../../contract/federation_pb.ts";
import { methodOf } from "./services.ts";
import { file_health, Health } from "./standard/health_pb.ts";
import {
  file_reflection,
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "./standard/reflection_pb.ts";

type Call = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;
type Response = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]
>;

const files = [file_federation, file_health, file_reflection];
const services = [Federation, Health, ServerReflection];
const registry = createRegistry(...files);

export function addReflection(server: Server): void {
  const info = methodOf(ServerReflection.method.serverReflectionInfo);
  // v1alpha is the same messages under an older name, which older tools still call.
  const alpha = { ...info, path: info.path.replace(".v1.", ".v1alpha.") };
  for (const method of [info, alpha]) server.addService({ info: method }, { info: converse });
}

async function converse(call: Call): Promise<void> {
  try {
    for await (const request of call.iterator({ destroyOnReturn: false })) {
      await new Promise((resolve) => call.write(reflect(request), resolve));
    }
    call.end();
  } catch {
    // The call broke off: there is nobody left to answer.
  }
}

/** Answers one question about the services here. */
export function reflect(request: ServerReflectionRequest): ServerReflectionResponse {
  return create(ServerReflectionResponseSchema, {
    validHost: request.host,
    originalRequest: request,
    messageResponse: responseTo(request.messageRequest),
  });
}

function responseTo(request: ServerReflectionRequest["messageRequest"]): Response {
  switch (request.case) {
    case "listServices": {
      const service = services.map(({ typeName }) => ({ name: typeName }));
      return { case: "listServicesResponse", value: { service } };
    }
    case "fileByFilename":
      return fileResponse(files.find(({ proto }) => proto.name === request.value), request.value);
    case "fileContainingSymbol":
      return fileResponse(fileWith(request.value), request.value);
    case "allExtensionNumbersOfType":
      return registry.getMessage(request.value) === undefined
        ? error(Status.NOT_FOUND, `There is no message ${request.value} here`)
        : { case: "allExtensionNumbersResponse", value: { baseTypeName: request.value } };
    case "fileContainingExtension":
      return error(Status.NOT_FOUND, "No message here has extensions");
    default:
      return error(Status.INVALID_ARGUMENT, "The request asks for nothing this server knows");
  }
}

/** The file that declares a service, message or enum, or one of its members. */
function fileWith(symbol: string): (typeof files)[number] | undefined {
  for (let name = symbol; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const found = registry.get(name);
    if (found !== undefined) return found.file;
  }
  return undefined;
}

function fileResponse(file: (typeof files)[number] | undefined, name: string): Response {
  if (file === undefined) return error(Status.NOT_FOUND, `There is no ${name} here`);
  const fileDescriptorProto = [toBinary(FileDescriptorProtoSchema, file.proto)];
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function error(errorCode: Status, errorMessage: string): Response {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
