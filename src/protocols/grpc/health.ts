/**
 * The standard health service, https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
 * Not by grpc-health-check: that reads its .proto file at start, and this Worker may read no file.
 */

import { create } from "@bufbuild/protobuf";
import {
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  status as Status,
} from "@grpc/grpc-js";
import { Federation } from "../../contract/federation_pb.ts";
import { methodOf } from "./services.ts";
import {
  Health as HealthService,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  type HealthListRequest,
  type HealthListResponse,
  HealthListResponseSchema,
} from "./standard/health_pb.ts";

type Watch = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/** The whole server, and its one service: both serve from the first connection to the last. */
const SERVICES = ["", Federation.typeName];

export class Health {
  readonly #watches = new Set<Watch>();
  #status = ServingStatus.SERVING;

  addTo(server: Server): void {
    const { check, list, watch } = HealthService.method;
    server.addService(
      { check: methodOf(check), list: methodOf(list), watch: methodOf(watch) },
      {
        check: (
          { request }: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
          answer: sendUnaryData<HealthCheckResponse>,
        ) => {
          if (SERVICES.includes(request.service)) return answer(null, this.#response());
          const details = `There is no service ${request.service} here`;
          answer({ code: Status.NOT_FOUND, details });
        },
        list: (
          _call: ServerUnaryCall<HealthListRequest, HealthListResponse>,
          answer: sendUnaryData<HealthListResponse>,
        ) => {
          const statuses = Object.fromEntries(SERVICES.map((name) => [name, this.#response()]));
          answer(null, create(HealthListResponseSchema, { statuses }));
        },
        watch: (call: Watch) => {
          if (!SERVICES.includes(call.request.service)) {
            // Not an end: the service could be added later, by the letter of the protocol.
            call.write(this.#response(ServingStatus.SERVICE_UNKNOWN));
            return;
          }
          call.write(this.#response());
          this.#watches.add(call);
          call.once("close", () => this.#watches.delete(call));
        },
      },
    );
  }

  /** Tells whoever watches that the server goes away. */
  end(): void {
    this.#status = ServingStatus.NOT_SERVING;
    for (const call of this.#watches) {
      call.write(this.#response());
      call.end();
    }
  }

  #response(status: ServingStatus = this.#status): HealthCheckResponse {
    return create(HealthCheckResponseSchema, { status });
  }
}
