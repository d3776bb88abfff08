/** A status as a server in its third round gives it. */

import type { Status } from "../../src/web/status.ts";

export const sampleStatus: Status = {
  run_id: "8f3a1c5e",
  name: "default",
  phase: "training",
  round: 2,
  rounds: 5,
  clients: [
    { id: "edge-1", wires: ["mqtt"], samples: 1200, last_seen_ms_ago: 300, state: "training" },
    {
      id: "edge-2",
      wires: ["grpc", "quic"],
      samples: 980,
      last_seen_ms_ago: 65_000,
      state: "idle",
    },
  ],
  wires: [
    {
      wire: "mqtt",
      url: "mqtt://127.0.0.1:1883/default",
      state: "up",
      up_bytes: 1536,
      down_bytes: 5 * 1024 * 1024,
      connections: 1,
    },
    {
      wire: "dds",
      url: "",
      state: "off",
      reason: "libddsc was not found",
      up_bytes: 0,
      down_bytes: 0,
      connections: 0,
    },
  ],
  history: [
    {
      round: 1,
      clients: 2,
      samples: 2180,
      loss: 0.4812,
      accuracy: 0.8731,
      seconds: 12.34,
      model_sha256: "ab".repeat(32),
    },
    { round: 2, clients: 2, samples: 2180, seconds: 9.9, model_sha256: "" },
  ],
};
