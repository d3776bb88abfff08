/** The AMQP endpoint's part of the configuration. */

import * as z from "zod";
import { listeningHostname, listeningPort, socketPermissions } from "../../contract/least.ts";
import { FRAME_MIN_BYTES } from "./frames.ts";

const MIB = 1024 * 1024;

export const options = z.strictObject({
  hostname: listeningHostname("AMQP"),
  port: listeningPort(5672, "TCP port for AMQP"),
  frameMaxBytes: z.int().min(FRAME_MIN_BYTES).max(16 * MIB).default(128 * 1024)
    .describe("Largest frame offered to AMQP clients, its 8 octets of framing included"),
  channelMax: z.int().min(1).max(65535).default(64)
    .describe("Channels an AMQP connection may have open at once"),
  handshakeTimeoutMs: z.int().min(100).max(600_000).default(10_000)
    .describe("Milliseconds in which a new AMQP connection has to be open"),
  maxDeclared: z.int().min(1).max(1_000_000).default(8192)
    .describe("Queues and exchanges that the AMQP endpoint holds together"),
  maxDeclaredPerConnection: z.int().min(1).max(65535).default(512)
    .describe("Queues and exchanges, together, that one AMQP connection may declare"),
  maxBindingsPerQueue: z.int().min(1).max(65535).default(256)
    .describe("Bindings an AMQP queue may have"),
  maxConsumersPerChannel: z.int().min(1).max(65535).default(256)
    .describe("Consumers an AMQP channel may have"),
  maxQueueMessages: z.int().min(1).max(10_000_000).default(65_536)
    .describe("Messages an AMQP queue holds, unacknowledged ones included; more are refused"),
  maxQueueBytes: z.int().min(MIB).default(64 * MIB)
    .describe("Bytes an AMQP queue holds, unacknowledged ones included; more are refused"),
  maxHeldBytes: z.int().min(MIB).default(256 * MIB)
    .describe("Bytes all AMQP queues hold together; more are refused"),
});

export type Options = z.infer<typeof options>;

/** The least the Worker needs: its own listening socket. */
export function permissions(own: Options): Deno.PermissionOptionsObject {
  return socketPermissions(own);
}
