/** The certificate's part of the configuration. */

import * as z from "zod";

export const tls = z.strictObject({
  cert: z.string().min(1).optional().meta({ takes: "a path" }).describe(
    "File with the server's certificate in PEM, its own first, then those that vouch for it; " +
      "with it MQTT, AMQP, gRPC, HTTP and WebSocket are TLS, and QUIC uses it",
  ),
  key: z.string().min(1).optional().meta({ takes: "a path" }).describe(
    "File with the certificate's private key in PEM, without a passphrase",
  ),
  handshakeTimeoutMs: z.int().min(100).max(600_000).default(10_000).describe(
    "Milliseconds in which a gRPC or HTTPS connection has to be through its TLS handshake; " +
      "elsewhere it is part of a new connection's own time",
  ),
}).refine((own) => (own.cert === undefined) === (own.key === undefined), {
  error: "give both --tls-cert and --tls-key, or neither",
});
