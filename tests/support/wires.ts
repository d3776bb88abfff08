/** The product's five protocol servers, each in its own Worker, on any free port. */

import {
  dialUrl,
  type ProtocolName,
  PROTOCOLS,
  protocolSections,
  spawn,
} from "../../src/protocols/mod.ts";
import { openCyclone } from "../../src/protocols/dds/cyclone.ts";
import { fetchLibrary } from "../../src/protocols/dds/fetch_library.ts";
import { findLibrary } from "../../src/protocols/dds/library.ts";
import type { AnySubject } from "./federation.ts";
import { loopbackTls, trusting } from "./tls.ts";

/** Set-up has brought libddsc; a test that is run by itself brings it now. */
export const library = findLibrary() ?? await fetchLibrary();
openCyclone(library); // for good, so no test is blamed for it

/** The same wire with TLS, where it has any: DDS has none here. */
export function wireOverTls(name: ProtocolName): AnySubject {
  const plain = wire(name);
  if (name === "dds") return plain;
  const { certificate, key } = loopbackTls;
  return {
    ...plain,
    tls: loopbackTls,
    own: (port) => ({ ...plain.own(port), ...(name === "quic" ? { certificate, key } : {}) }),
    dial: trusting(plain.dial),
  };
}

export function wire(name: ProtocolName): AnySubject {
  return {
    wire: name,
    own: (port = 0) => protocolSections[name].parse(name === "dds" ? { port, library } : { port }),
    make: () => {
      throw new Error("The five wires run in their Workers");
    },
    spawn: (own) =>
      spawn(name, {
        mqtt: protocolSections.mqtt.parse({}),
        amqp: protocolSections.amqp.parse({}),
        grpc: protocolSections.grpc.parse({}),
        quic: protocolSections.quic.parse({}),
        dds: protocolSections.dds.parse({}),
        [name]: own,
      }),
    dial: dialUrl,
    garbage: () => Promise.resolve(),
  };
}

export const allWires: readonly AnySubject[] = PROTOCOLS.map(wire);
