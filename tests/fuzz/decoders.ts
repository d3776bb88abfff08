/** Everything in the product that reads bytes of others. */

import { amqpFrames, amqpTables } from "./decoders/amqp.ts";
import { envelopes } from "./decoders/dds.ts";
import { clientMessages, serverMessages } from "./decoders/messages.ts";
import { mqttPackets } from "./decoders/mqtt.ts";
import { lengthDelimited, qpackSections, upgrades, webSocketFrames } from "./decoders/quic.ts";
import { safetensors } from "./decoders/safetensors.ts";
import type { Decoder } from "./decoder.ts";

export const DECODERS: readonly Decoder[] = [
  clientMessages,
  serverMessages,
  safetensors,
  amqpFrames,
  amqpTables,
  mqttPackets,
  lengthDelimited,
  qpackSections,
  upgrades,
  webSocketFrames,
  envelopes,
];
