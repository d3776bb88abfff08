/**
 * TLS under grpc-js's client, put right for Deno. It names every host by SNI, which has no IP
 * addresses (RFC 6066 §3); Deno refuses them, as Node will. Without the name, the certificate is
 * checked against the address.
 */

import { isIP } from "node:net";
import tls from "node:tls";

const { connect } = tls;

Object.assign(tls, {
  connect(...args: unknown[]) {
    const [options, ...more] = args;
    if (typeof options === "object" && options !== null && "servername" in options) {
      const { servername, ...unnamed } = options;
      if (typeof servername === "string" && isIP(servername) !== 0) args = [unnamed, ...more];
    }
    return Reflect.apply(connect, tls, args);
  },
});
